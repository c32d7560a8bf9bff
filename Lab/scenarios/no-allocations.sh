#!/bin/bash
# Packets cost no allocation: a hundred thousand of them cross a node in each direction, and it asks the
# allocator for next to nothing meanwhile (what else it does, a keep-alive or a probe, may).
#
#    alice -- internet -- bob        mesh (server, relay)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 60
find_programs
# A debug build allocates for what the optimizer takes away.
[[ $SKEIN_BIN != */debug ]] || skip "these programs are not optimized"

# Of a thousand packets, so many may cost an allocation: on a busy machine some go by relay for a moment.
MOST=50
tool checked

host alice
host bob
start server
count_allocations alice
count_allocations bob
join alice bob
expect direct alice bob 10

packets_cross() { # COUNT: in each direction
    local node
    for node in alice bob; do launch "$node-receives" "$node" /run/lab/checked receive-packets 7001; done
    for node in "alice bob" "bob alice"; do
        read -r from to <<<"$node"
        launch "$from-sends" "$from" /run/lab/checked send-packets "$(address4 "$to")" 7001 "$1" 20000
    done
    for node in alice bob; do
        await $((10 + $1 / 4000)) gone "$node-receives"
        await 5 gone "$node-sends"
        forget "$node-receives"
        forget "$node-sends"
    done
}
# The first find tables at their smallest.
packets_cross 10000
for node in alice bob; do declare "before_$node=$(allocations "$node")"; done
packets_cross 100000
for node in alice bob; do
    before=before_$node
    made=$(($(allocations "$node") - ${!before}))
    step "$node: $made allocations for 200000 packets"
    ((made * 1000 <= 200000 * MOST)) || fail "$node: $made allocations for 200000 packets"
done
