#!/bin/bash
# A network without any IPv4: server, relay and nodes are reached by IPv6 alone.
#
#    alice -- [IPv6 firewall] -- internet -- [IPv6 firewall] -- bob
#                                   |
#                           mesh (server, relay)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 30

ipv6
router home easy; host alice home
router office easy; host bob office
prepare_server
for host in mesh alice bob; do on "$host" ip -4 address flush dev eth0; done
start server
join alice bob

reach alice bob
expect direct alice bob 10
[[ $(skein alice netcheck --json | jq -c '[.UDP, .IPv4, .IPv6]') == "[true,false,true]" ]] ||
    fail "netcheck: $(skein alice netcheck --json)"
