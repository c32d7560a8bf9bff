#!/bin/bash
# A network that forwards no UDP: everything goes through the relay, over TCP.
#
#    alice -- [no UDP] -- internet -- [easy] -- bob
#                            |
#                    mesh (server, relay)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 40

router cafe udp-blocked; host alice cafe
router office easy; host bob office
start server
join alice bob

reach alice bob
expect relayed alice bob
reach alice bob
