#!/bin/bash
# Two machines on one LAN talk across its switch, not through the router.
#
#             internet -- mesh (server, relay)
#                |
#              [easy]
#              /    \
#          alice    bob
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 30

router home easy
host alice home
host bob home
start server
join alice bob

reach alice bob
expect direct alice bob 5
[[ $(peer alice bob CurAddr) == "${ADDRESS[bob]}:$SKEIN_PORT" ]] || fail "not over the LAN: $(peer alice bob CurAddr)"
