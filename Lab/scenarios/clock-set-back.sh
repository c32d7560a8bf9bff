#!/bin/bash
# Clocks that jump by years: a running node's, a restarted node's, the server's. Who was in the network stays
# in it, tunnels go on, and keys expire by the server's clock alone.
#
#    alice --- internet --- bob
#                 |
#         mesh (server, relay)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 90

host alice
host bob
host carol
host dave
clock alice 0
clock mesh 0
start server
join alice bob
reach alice bob
expect direct alice bob 5

step "alice's clock jumps back ten years, then forward twenty, while she runs"
flow bob alice
clock alice -10
reach alice bob
clock alice 10
reach bob alice
flow_ends 0

step "alice restarts with a clock that is ten years behind"
clock alice -10
stop alice
start node alice
reach alice bob
[[ $(peer bob alice Online) == true ]] || fail "bob takes alice for offline"

step "the server's clock jumps back three years, and it is restarted"
clock mesh -3
join carol
reach carol bob
crash mesh
start server
reach alice bob
reach alice carol

step "the server's clock comes back"
clock mesh 0
reach alice carol
join dave
reach dave alice
