#!/bin/bash
# A node is killed (kill -9) and started again: it keeps its key and addresses, leaves nothing behind
# that stops it from starting, and its peers reach it at once.
#
#    alice -- [easy] -- internet -- [easy] -- bob
#                          |
#                  mesh (server, relay)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 40

router home easy; host alice home
router office easy; host bob office
start server
join alice bob
reach alice bob
before=$(skein alice status --json | jq -c '[.Self.PublicKey, .TailscaleIPs]')

crash alice
start node alice
await 10 running alice
after=$(skein alice status --json | jq -c '[.Self.PublicKey, .TailscaleIPs]')
[[ $after == "$before" ]] || fail "alice was $before and is $after"
reach bob alice 10
expect direct alice bob 10

step "a clean stop leaves no interface, address or route"
stop alice
((EXIT_STATUS == 0)) || fail "skein daemon ended with status $EXIT_STATUS on SIGTERM"
refused on alice ip link show skein0
others() { on alice ip rule show | grep -vE 'lookup (local|main|default)'; }
refused others
traces() { on alice ip route show table all | grep -E '100\.64|skein'; }
refused traces
