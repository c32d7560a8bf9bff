# shellcheck shell=bash
# The words scenarios are written in. A scenario sources this file first; from then on it runs in
# network, mount and process namespaces of its own (without root: in a user namespace too), so
# nothing of this machine is touched and everything it starts ends with it.
#
#   lib/sandbox.sh   entering the namespaces, waiting, failing, cleaning up
#   lib/topology.sh  hosts, routers with NAT, networks, moving and blocking
#   lib/programs.sh  skein-server and skein: start, up, stop, kill, status
#   lib/expect.sh    what must be true: who reaches whom, and by which path
#   lib/wireguard.sh wireguard-go
#   lib/relays.sh    relays on machines of their own
#   lib/gateway.sh   routers that map ports when asked

set -euo pipefail
export LC_ALL=C

LAB=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
REPOSITORY=$(dirname "$LAB")

source "$LAB/lib/sandbox.sh"
source "$LAB/lib/topology.sh"
source "$LAB/lib/programs.sh"
source "$LAB/lib/expect.sh"
source "$LAB/lib/wireguard.sh"
source "$LAB/lib/relays.sh"
source "$LAB/lib/gateway.sh"

enter_sandbox "$@"
prepare_sandbox
