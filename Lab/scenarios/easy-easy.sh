#!/bin/bash
# Two ordinary home routers: both ends send at once and each router takes the other's packets for answers.
#
#    alice -- [easy] -- internet -- [easy] -- bob
#                          |
#                  mesh (server, relay)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 30

router home easy; host alice home
router office easy; host bob office
start server
join alice bob

reach alice bob
expect direct alice bob 5
[[ $(peer alice bob CurAddr) == "$(public_address bob):"* ]] || fail "not through bob's router: $(peer alice bob CurAddr)"
