#!/bin/bash
# A router whose firewall lets in nothing over IPv6 that was not asked for: miniupnpd opens a hole for the
# node, by PCP and by UPnP, through which strangers reach it, and closes it when the node stops.
#
#    alice -- [IPv6 firewall, miniupnpd] -- internet -- stranger
#                                              |
#                                      mesh (server, relay)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 60
need miniupnpd

ipv6
router home hard; host alice home
further_address home 9.9.9.9
host stranger
start server

# What comes for the node's port from a stranger, counted where it arrives.
ip netns exec alice nft -f - <<RULES
table inet strangers {
    chain arriving {
        type filter hook input priority 0;
        ip6 saddr ${ADDRESS6[stranger]} udp dport $SKEIN_PORT counter
    }
}
RULES
heard() {
    ip netns exec alice nft list table inet strangers | sed -nE 's/.*counter packets ([0-9]+) .*/\1/p'
}
reaches() {
    local before
    before=$(heard)
    on stranger bash -c "echo hello >/dev/udp/${ADDRESS6[alice]}/$SKEIN_PORT"
    (($(heard) > before))
}
closed() { ! opens_firewall home alice; }

for protocol in pcp upnp; do
    join alice
    ! reaches || fail "the firewall is open without being asked"
    gateway home "$protocol"
    stop alice
    join alice
    await 10 opens_firewall home alice
    await 2 reaches
    skein alice status --json | jq -r '.Self.Addrs[]' | grep -F "[${ADDRESS6[alice]}]:$SKEIN_PORT"
    stop alice
    await 3 closed
    crash miniupnpd
done
