#!/bin/bash
# The server is restarted while traffic flows: not one packet is lost, and afterwards the mesh learns
# of a new machine as before.
#
#    alice -- [easy] -- internet -- [easy] -- bob
#                          |   \
#                  mesh (server) carol
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 40

router home easy; host alice home
router office easy; host bob office
host carol
start server
join alice bob
reach alice bob
expect direct alice bob 5

flow alice bob
stop mesh
((EXIT_STATUS == 0)) || fail "skein-server ended with status $EXIT_STATUS on SIGTERM"
start server
join carol
await 15 sees alice carol
await 15 sees bob carol
flow_ends 0

reach alice carol
expect direct alice bob 5
