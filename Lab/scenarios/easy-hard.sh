#!/bin/bash
# A router that lets in only known address-and-port pairs against one with a new port for every
# destination: no packet of either side can be taken for an answer, so the relay carries the traffic.
# A direct path found all the same (by luck or by guessing) is welcome; what counts is that traffic flows.
#
#    alice -- [easy] -- internet -- [hard] -- bob
#                          |
#                  mesh (server, relay)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 40

router home easy; host alice home
router office hard; host bob office
start server
join alice bob

reach alice bob
if attempt 5 direct alice bob && attempt 5 direct bob alice; then
    step "direct, better than expected"
    expect direct alice bob
else
    expect relayed alice bob
fi
reach alice bob
