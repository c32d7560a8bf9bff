#!/bin/bash
# Random and nearly right bytes on every socket of server and node: both stay up, their memory stays
# bounded, and the machines go on talking.
#
#    alice ---- internet ---- bob
#    mallory ------/  \------ mesh (server, relay)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 60
need python3

SEED=${SEED:-$RANDOM}
host alice
host bob
host mallory
start server
join alice bob
reach alice bob
server_before=$(memory_kb mesh) node_before=$(memory_kb alice)
attack() { # KIND TARGET KIND TARGET: two at the same time
    local kinds=()
    while (($# > 0)); do
        on mallory timeout 20 "$PYTHON" "$LAB/tools/hostile.py" "$SEED" 5 "$1" "$2" >>"$LOGS/mallory.log" & kinds+=($!)
        shift 2
    done
    wait "${kinds[@]}"
}

step "seed $SEED: HTTP, control, relay, STUN, the node's UDP port and its local socket, 5 s each"
attack http "${ADDRESS[mesh]}:8080" control "${ADDRESS[mesh]}:8080"
attack relay "${ADDRESS[mesh]}:8080" udp "${ADDRESS[mesh]}:3478"
attack udp "${ADDRESS[alice]}:$SKEIN_PORT" local /run/lab/alice/skein.sock

alive mesh || fail "the server fell"
alive alice || fail "the node fell"
step "server $server_before → $(memory_kb mesh) kB, node $node_before → $(memory_kb alice) kB"
(($(memory_kb mesh) < server_before + 60000)) || fail "the server grew to $(memory_kb mesh) kB"
(($(memory_kb alice) < node_before + 30000)) || fail "the node grew to $(memory_kb alice) kB"
reach alice bob
expect direct alice bob
server_answers
