#!/bin/bash
# Two routers with a new port for every destination: the relay carries the traffic, for as long as it lasts.
#
#    alice -- [hard] -- internet -- [hard] -- bob
#                          |
#                  mesh (server, relay)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 40

router home hard; host alice home
router office hard; host bob office
start server
join alice bob

reach alice bob
expect relayed alice bob
reach alice bob
