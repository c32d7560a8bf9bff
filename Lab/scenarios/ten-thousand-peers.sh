#!/bin/bash
# A node with ten thousand peers that it never speaks to: each takes no more than 16 KiB of its memory, and the one
# it speaks to answers as before.
#
#    alice -- internet -- bob        mesh (server, relay)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 90
need wg
PEERS=10000

host alice
host bob
start server
join alice bob
reach alice bob
before=$(memory_kb alice)

stop mesh
"$PYTHON" "$LAB/tools/clone_nodes.py" /run/lab/mesh/state/skein-server.sqlite bob "$PEERS"
start server
sees_all() { (($(on alice wg show skein0 peers | wc -l) > PEERS)); }
await 40 sees_all
await 10 ping4 alice bob
# What reading the network map took is given back after a while.
took() { echo $((($(memory_kb alice) - before) * 1024 / PEERS)); }
is_small() { (($(took) <= 16384)); }
step "$((before / 1024)) MB, and $(took) bytes more for each of $PEERS peers"
await 20 is_small
step "later $(took) bytes for each"

step "alice starts anew with all of them"
stop alice
start node alice
await 20 sees_all
await 10 ping4 alice bob
await 20 is_small
step "$(took) bytes for each"
