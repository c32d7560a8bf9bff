#!/bin/bash
# A home router behind the provider's own NAT: two levels, and still direct. Two customers of one
# provider cannot meet at its outer side (it does not turn packets round), so the relay helps them.
#
#    alice -- [easy] -- [carrier] -- internet -- [easy] -- bob
#    carol -- [easy] ----/              |
#                               mesh (server, relay)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 50

router provider carrier
router home easy provider; host alice home
router flat easy provider; host carol flat
router office easy; host bob office
start server
join alice bob carol

reach alice bob
expect direct alice bob 5
reach alice carol
expect relayed alice carol
