#!/bin/bash
# Two relays serve one region; the nodes are connected to different ones and reach each other. When one relay
# is killed, traffic flows again through the other within two seconds.
#
#    alice -- [hard] -- internet -- [hard] -- bob
#                      |    |   |
#                    mesh  one  two (relays of one region)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 60

router home hard; host alice home
router office hard; host bob office
tls; no_embedded_relay
relay one 901; relay two 901
start server
start_relay one; start_relay two
# Else both would take the first.
block bob one
join alice bob

# bob is at no relay before it has given one up; a handshake that was lost until then is repeated after 5 s.
reach alice bob 10
[[ -z $(peer alice bob CurAddr) ]] || fail "the nodes are to be relayed"
grep -q "connected to two.test" "$LOGS/one.log" || fail "the relays are not meshed"

flow alice bob
crash one
step "relay killed"
await 5 ping4 alice bob
step "traffic again"
flow_ends 40
start_relay one
reach alice bob
