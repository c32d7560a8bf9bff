#!/bin/bash
# A laptop leaves its home for an office network and then for a public one: its address in the mesh
# stays, and traffic flows again within seconds.
#
#    alice -- [easy home]            [easy hotel] -- bob
#             [easy office]  internet
#             (public)         |
#                      mesh (server, relay)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 60

router home easy
router office easy
router hotel easy
host alice home
host bob hotel
start server
join alice bob
reach alice bob
expect direct alice bob 5

step "alice moves to the office"
move alice office
await 5 ping4 alice bob
await 5 ping4 bob alice
expect direct alice bob 10
[[ $(peer bob alice CurAddr) == "$(public_address alice):"* ]] || fail "bob still sends to $(peer bob alice CurAddr)"

step "alice gets a public address, while she sends nothing"
move alice
await 8 ping4 bob alice
reach alice bob
expect direct alice bob 10
