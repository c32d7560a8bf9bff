#!/bin/bash
# Ten machines, each behind a router of its own, reach each other: 90 directions, all direct.
#
#    n0 -- [easy] --+-- internet --+-- [easy] -- n5
#    …              |              |           …
#    n4 -- [easy] --+     mesh     +-- [easy] -- n9
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 120

nodes=(n0 n1 n2 n3 n4 n5 n6 n7 n8 n9)
for node in "${nodes[@]}"; do
    router "r$node" easy && host "$node" "r$node"
done
start server
for node in "${nodes[@]}"; do start node "$node"; done
for node in "${nodes[@]}"; do up "$node"; done
step "all have joined"

knows_all() { (($(skein "$1" status --json | jq '[.Peer[] | select(.Online)] | length') == 9)); }
all_direct() { (($(skein "$1" status --json | jq '[.Peer[] | select((.CurAddr // "") != "")] | length') == 9)); }
everyone_answers() { # NODE: all other nodes at the same time
    local other pings=()
    for other in "${nodes[@]}"; do
        [[ $other != "$1" ]] || continue
        ping4 "$1" "$other" -c 1 -W 2 >/dev/null & pings+=($!)
        ping6 "$1" "$other" -c 1 -W 2 >/dev/null & pings+=($!)
    done
    for other in "${pings[@]}"; do wait "$other" || return 1; done
}

for node in "${nodes[@]}"; do await 10 knows_all "$node"; done
step "all see all"
for node in "${nodes[@]}"; do await 20 everyone_answers "$node"; done
step "all reach all"
for node in "${nodes[@]}"; do await 20 all_direct "$node"; done
step "all paths are direct"
