#!/bin/bash
# Packets cost no allocation: a hundred thousand of them cross a node in each direction, and it asks the
# allocator for next to nothing meanwhile (what else it does, a keep-alive or a probe, may). Nor do they cost the
# nodes anything whose packets another node relays, or that one.
#
#    alice -- internet -- bob        mesh (server, relay)
#    dave -- [hard] -- internet -- [hard] -- erin
#                         |
#                       carol (relays UDP)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 120
find_programs
# A debug build allocates for what the optimizer takes away.
[[ $SKEIN_BIN != */debug ]] || skip "these programs are not optimized"

# Of a thousand packets, so many may cost an allocation: on a busy machine some go by relay for a moment.
MOST=50
tool checked

packets_cross() { # A B COUNT: in each direction
    local node from to
    for node in "$1" "$2"; do launch "$node-receives" "$node" /run/lab/checked receive-packets 7001; done
    for node in "$1 $2" "$2 $1"; do
        read -r from to <<<"$node"
        launch "$from-sends" "$from" /run/lab/checked send-packets "$(address4 "$to")" 7001 "$3" 20000
    done
    for node in "$1" "$2"; do
        await $((10 + $3 / 4000)) gone "$node-receives"
        await 5 gone "$node-sends"
        forget "$node-receives"
        forget "$node-sends"
    done
}

# allocates_little A B COUNT [RELAY]: while so many packets cross in each direction.
allocates_little() {
    local node made
    # The first find tables at their smallest.
    packets_cross "$1" "$2" 10000
    for node in "$1" "$2" "${@:4}"; do declare "before_$node=$(allocations "$node")"; done
    packets_cross "$1" "$2" "$3"
    for node in "$1" "$2" "${@:4}"; do
        before=before_$node
        made=$(($(allocations "$node") - ${!before}))
        step "$node: $made allocations for $((2 * $3)) packets"
        ((made * 1000 <= 2 * $3 * MOST)) || fail "$node: $made allocations for $((2 * $3)) packets"
    done
}

host alice; host bob; host carol
router home hard; host dave home
router office hard; host erin office
start server
for node in alice bob carol dave erin; do count_allocations "$node"; done
join alice bob
expect direct alice bob 10
allocates_little alice bob 100000

join carol dave erin
skein carol set --relay-server-port 40000
administer nodes relay carol
by_peer_relay() {
    ping4 "$1" "$2" >/dev/null || true
    [[ -n $(peer "$1" "$2" PeerRelay) ]]
}
await 60 by_peer_relay dave erin
await 20 by_peer_relay erin dave
allocates_little dave erin 50000 carol
relayed=$(skein carol debug paths | jq '.Counters["peer-relay-packets"]')
((relayed >= 100000)) || fail "carol has relayed $relayed packets only"
