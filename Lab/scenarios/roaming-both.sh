#!/bin/bash
# Both machines change their network in the same moment, then once more while the server (and its relay)
# is down: whoever finds a relay or the other's address first brings them together again.
#
#    alice -- [easy home]   [easy hotel] -- bob
#             [easy office] [easy cafe]
#                   internet
#           mesh (server)    near (relay)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 90

router home easy; router office easy
router hotel easy; router cafe easy
host alice home
host bob hotel
tls; no_embedded_relay
relay near 901
start server
start_relay near
join alice bob
reach alice bob
expect direct alice bob 5

both_move() {
    move alice "$1"
    move bob "$2"
}

step "both move at once"
outage alice bob -- both_move office cafe
expect_outage 1000
expect direct alice bob 10

step "the server is gone, and both move back"
crash mesh
outage alice bob -- both_move home hotel
expect_outage 1000
expect direct alice bob 10

step "one of them moves, the server still gone"
outage bob alice -- move alice office
expect_outage 1000
expect direct alice bob 10

step "the server comes back"
start server
await 20 sees alice bob
await 20 sees bob alice
reach alice bob
