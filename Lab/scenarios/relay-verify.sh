#!/bin/bash
# A relay that asks the coordination server serves the network's nodes and nobody else.
#
#    alice -- [hard] -- internet -- [hard] -- bob
#                      |    |
#                    mesh  one (relay)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 60

router home hard; host alice home
router office hard; host bob office
tls; no_embedded_relay
relay one 901 'verify_clients = "https://mesh.test/verify"' 'verify_fail_open = false'
start server
start_relay one
join alice bob
reach alice bob

# A node that is removed and does not hear of it is turned away when it comes again.
block bob mesh
id=$(administer nodes list --output json | jq -er '.[] | select(.name | startswith("bob")) | .id')
administer nodes delete "$id" >/dev/null
stop one
start_relay one
turned_away() { grep -q "is not of this network" "$LOGS/one.log"; }
await 10 turned_away
