#!/bin/bash
# ./quickstart as its first user sees it: a server and this machine in it, twice is the same as once, the line
# it prints joins the next machine, and `stop` ends what it started.
#
#    first (server and node) --- internet --- next
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 60

find_programs
export SKEIN_BIN QUICKSTART_HOME=/run/lab/quickstart
host first
host next
quickstart() { on first "$REPOSITORY/quickstart" "$@"; }

refused quickstart nonsense
says "try"
quickstart >"$LOGS/quickstart.log" 2>&1
printed=$(grep -m1 -o 'skein up --login-server .*' "$LOGS/quickstart.log") || fail "it does not say how to join the next machine"
state() { on first "$SKEIN_BIN/skein" status --json | jq -r "$1"; }
[[ $(state .BackendState) == Running ]] || fail "this machine is $(state .BackendState)"
self=$(state .Self.PublicKey)

step "again: the same"
quickstart >>"$LOGS/quickstart.log" 2>&1
[[ $(state .Self.PublicKey) == "$self" ]] || fail "the second run made another node"

step "the next machine joins with: $printed"
start node next
read -ra words <<<"${printed#skein }"
skein next "${words[@]}" --hostname next
await 10 running next
await 10 on next ping -c 1 -W 1 "$(state '.TailscaleIPs[0]')"
step "stop"
quickstart stop
refused on first "$SKEIN_BIN/skein" status
! on first ip link show skein0 >/dev/null 2>&1 || fail "skein0 is still there"
