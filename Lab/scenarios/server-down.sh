#!/bin/bash
# The server is gone. Machines that know each other go on, even one whose daemon starts again
# meanwhile: it has kept its last netmap. When the server is back everything is as before.
#
#    alice --- internet --- bob
#                 |
#         mesh (server, relay)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 60

host alice
host bob
start server
join alice bob
reach alice bob

crash mesh
step "the tunnel goes on without the server"
reach alice bob

step "alice takes her tunnel down and up"
skein alice down
refused ping4 alice bob
skein alice up --timeout 10s
reach alice bob 10

step "alice's daemon starts again"
stop alice
start node alice
reach alice bob 10
expect_no_server() { { skein alice status 2>&1 || true; } | grep -E "mesh.test"; }
await 10 expect_no_server

step "the server comes back"
start server
await 20 sees alice bob
await 20 sees bob alice
reach alice bob
