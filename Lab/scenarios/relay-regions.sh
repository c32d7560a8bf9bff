#!/bin/bash
# Three regions of relays. When the home region dies, the nodes find another home and traffic flows again within
# two seconds; a relay whose machine vanishes without a word is given up as well.
#
#    alice -- [hard] -- internet -- [hard] -- bob
#                  |    |    |    |
#                mesh  near far other (relays of three regions)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 90

router home hard; host alice home
router office hard; host bob office
tls; no_embedded_relay
relay near 901; relay far 902; relay other 903
start server
start_relay near; start_relay far; start_relay other
join alice bob
reach alice bob

declare -A RELAY_OF=([region901]=near [region902]=far [region903]=other)
first=$(home_of alice)
relay=${RELAY_OF[$first]}
step "at home in $first, on $relay"
flow alice bob
crash "$relay"
await 5 ping4 alice bob
step "traffic again"
flow_ends 40
for host in alice bob; do
    [[ $(home_of $host) != "$first" ]] || fail "$host is still at home in $first"
done

# What is sent to bob goes by his home.
second=$(home_of bob)
relay=${RELAY_OF[$second]}
step "bob is at home in $second, on $relay"
flow alice bob
block alice "$relay"; block bob "$relay"
await 8 ping4 alice bob
step "traffic again"
flow_ends 60
