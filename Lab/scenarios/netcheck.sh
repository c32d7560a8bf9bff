#!/bin/bash
# What netcheck says about a NAT is what its router does: the lab's easy one and its hard one.
#
#    alice -- [easy] -- internet -- [hard] -- bob
#                          |
#             mesh (server, relay; STUN at two addresses)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 40

router home easy; host alice home
router office hard; host bob office
prepare_server
on mesh ip address add 203.0.113.250/24 dev eth0
echo 'stun_alternate = "203.0.113.250"' >>/run/lab/mesh/config.toml
start server
join alice bob

# found HOST FIELD VALUE: what the host's netcheck says.
found() {
    local value
    value=$(jq -r ".$2" <<<"${REPORT[$1]}")
    [[ $value == "$3" ]] || fail "$1: $2 is $value, not $3"
}

declare -A REPORT
for host in alice bob; do REPORT[$host]=$(skein "$host" netcheck --json); done
found alice UDP true
found alice BehindNAT true
found alice Mapping endpoint-independent
found alice MappingVariesByDestIP false
found alice Filtering address-and-port-dependent
found alice PortAllocation preserving
found alice CaptivePortal false
found bob Mapping address-and-port-dependent
found bob MappingVariesByDestIP true
found bob Filtering address-and-port-dependent
found bob PortAllocation random
