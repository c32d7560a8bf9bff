#!/bin/bash
# Whoever floods one peer does not take the way from packets to another: they pass the flood's queue. In a
# queue for all most of them would be lost.
#
#    alice -- internet --+-- bob        mesh (server, relay)
#                        +-- carol
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 60
tool flood

host alice
host bob
host carol
start server
join alice bob carol
reach alice bob
reach alice carol
for peer in bob carol; do expect direct alice $peer 10; done
step "alice sends bob small packets as fast as it can"
launch flood alice /run/lab/flood "$(address4 bob)" 9 64 8
sleep 1
alive flood
replies=$(on alice ping -n -c 200 -i 0.02 -W 1 "$(address4 carol)" | sed -nE 's/.* ([0-9]+) received.*/\1/p' || true)
alive flood || fail "the flood ended too soon"
step "carol answers $replies of 200 pings meanwhile"
((replies >= 150)) || fail "carol answered only $replies of 200 pings beside a flood to bob"
