#!/bin/bash
# A machine logs out: its peers forget it and stay well, it can come back as a new one, and nobody's
# address changes.
#
#    alice --- internet --- bob, carol
#                 |
#         mesh (server, relay)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 90

host alice
host bob
host carol
start server
join alice bob carol
reach alice bob
reach carol bob
expect direct alice bob 5

absent() { [[ $(peer "$1" "$2" Online) != true ]]; }
for round in 1 2; do
    step "round $round"
    flow bob alice
    skein alice logout
    await 2 absent bob alice
    await 2 absent carol alice
    flow_ends 1000
    stop alice
    rm -rf /run/lab/alice/state /run/lab/alice/addresses
    NAME_OF[alice]=alice-$round
    start node alice
    up alice
    reach alice bob
    reach carol bob
done
