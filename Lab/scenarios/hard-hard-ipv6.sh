#!/bin/bash
# What hard NATs forbid over IPv4, stateful IPv6 firewalls allow: both ends send at once.
#
#    alice -- [hard, IPv6 firewall] -- internet -- [hard, IPv6 firewall] -- bob
#                                         |
#                                 mesh (server, relay)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 30

ipv6
router home hard; host alice home
router office hard; host bob office
start server
join alice bob

reach alice bob
expect direct alice bob 10
[[ $(peer alice bob CurAddr) == "[${ADDRESS6[bob]}]:"* ]] || fail "not over IPv6: $(peer alice bob CurAddr)"
