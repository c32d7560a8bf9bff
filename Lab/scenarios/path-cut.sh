#!/bin/bash
# The direct path dies without a word (a firewall now drops it): the relay takes over within half a
# second, and when the path is back it is used again.
#
#    alice -- [easy] -- internet -- [easy] -- bob
#                          |
#                  mesh (server, relay)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 60

router home easy; host alice home
router office easy; host bob office
start server
join alice bob
reach alice bob
expect direct alice bob 5

flow alice bob
block alice bob
step "cut"
await 5 ping4 alice bob
step "traffic again"
# 20 packets a second: half a second without traffic and one already under way.
flow_ends 11
expect relayed alice bob

unblock alice bob
step "the path is back"
expect direct alice bob 20
