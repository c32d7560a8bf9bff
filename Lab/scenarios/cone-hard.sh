#!/bin/bash
# A router that lets in any port of a known address meets a hard one: the first packet from the hard
# side comes from an unforeseen port, and is answered to where it came from.
#
#    alice -- [cone] -- internet -- [hard] -- bob
#                          |
#                  mesh (server, relay)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 30

router home cone; host alice home
router office hard; host bob office
start server
join alice bob

reach alice bob
expect direct alice bob 10
