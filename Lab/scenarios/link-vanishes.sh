#!/bin/bash
# The interface that carries the direct path vanishes: the node goes on over the other one.
#
#    alice === second cable === bob
#      \------ internet -------/
#                 |
#        mesh (server, relay)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 60

host alice
host bob
start server
join alice bob
reach alice bob
expect direct alice bob 5

cable() {
    ip -n alice link add cable type veth peer name cable netns bob
    ip -n alice address add 10.9.0.1/24 dev cable
    ip -n bob address add 10.9.0.2/24 dev cable
    ip -n alice link set cable up
    ip -n bob link set cable up
}
over_cable() { ping4 alice bob >/dev/null; [[ $(peer alice bob CurAddr) == 10.9.0.2:* ]]; }

for round in 1 2 3; do
    cable
    block alice bob
    await 20 over_cable
    unblock alice bob
    step "round $round: over the cable"
    ip -n alice link delete cable
    await 5 ping4 alice bob
    await 5 ping4 bob alice
    alive alice && alive bob || fail "a node fell"
    expect direct alice bob 10
done
