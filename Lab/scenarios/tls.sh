#!/bin/bash
# Server and relay behind a certificate (port 443, as in real life): control and relayed traffic go through TLS.
#
#    alice -- [hard] -- internet -- [hard] -- bob
#                          |
#                  mesh (server, relay; TLS)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 40

router home hard; host alice home
router office hard; host bob office
tls
start server
join alice bob

reach alice bob
expect relayed alice bob
refused on mesh curl -fsS -m 2 http://mesh.test:8080/
