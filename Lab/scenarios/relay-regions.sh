#!/bin/bash
# Two regions of relays. When the home region dies, the nodes find another home and traffic flows again within
# two seconds; a relay whose machine vanishes without a word is given up as well.
#
#    alice -- [hard] -- internet -- [hard] -- bob
#                      |    |   |
#                    mesh near far (relays of two regions)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 90

router home hard; host alice home
router office hard; host bob office
tls; no_embedded_relay
relay near 901; relay far 902
start server
start_relay near; start_relay far
join alice bob
reach alice bob

first=$(home_of alice)
[[ $first == region901 ]] && relay=near || relay=far
step "at home in $first, on $relay"
flow alice bob
crash "$relay"
await 5 ping4 alice bob
step "traffic again"
flow_ends 40
for host in alice bob; do
    [[ $(home_of $host) != "$first" ]] || fail "$host is still at home in $first"
done

start_relay "$relay"
second=$(home_of alice)
[[ $second == region901 ]] && relay=near || relay=far
step "at home in $second, on $relay"
flow alice bob
block alice "$relay"; block bob "$relay"
await 8 ping4 alice bob
step "traffic again"
flow_ends 60
