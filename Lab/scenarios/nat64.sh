#!/bin/bash
# A mobile network has IPv6 alone and reaches the rest of the world through a NAT64. The server, its relay and bob
# have only IPv4: alice joins, and finds a direct path to bob through the translator.
#
#    alice -- (IPv6) -- [NAT64, easy] -- (IPv4) internet -- [easy] -- bob
#                                           |
#                                   mesh (server, relay)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 45

router home easy; host bob home
prepare_server
ipv6
router isp easy; host alice isp
translate isp
ipv6_only alice
start server
join alice bob

reach alice bob
expect direct alice bob 10
[[ $(peer alice bob CurAddr) == "$(public_address bob):"* ]] || fail "alice sends to $(peer alice bob CurAddr)"
[[ $(skein alice netcheck --json | jq -c '[.UDP, .IPv4, .IPv6]') == "[true,true,false]" ]] ||
    fail "netcheck: $(skein alice netcheck --json)"

step "the direct path is cut"
outage alice bob -- block alice bob
expect_outage 500
