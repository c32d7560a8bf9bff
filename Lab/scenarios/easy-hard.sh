#!/bin/bash
# A router that lets in only known address-and-port pairs against one with a new random port for every
# destination: bob's node sends from many sockets, alice's pings many ports of his address, and where two
# meet there is a path. docs/hard-nats.md has the sum: 99.3 % at the first attempt.
#
#    alice -- [easy] -- internet -- [hard] -- bob
#                          |
#                  mesh (server, relay)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 60

router home easy; host alice home
router office hard; host bob office
start server
join alice bob

reach alice bob
if ! attempt 12 direct alice bob; then
    step "no luck: once more with nodes that know nothing of it"
    stop alice; stop bob
    start node alice; start node bob
    await 10 running alice; await 10 running bob
    reach alice bob 10
fi
expect direct alice bob 12
reach alice bob

step "what was opened for the search is closed again"
sockets() { on bob ss -Hunap 2>/dev/null | grep -c skein; }
few_sockets() { (($(sockets) <= 12)); }
await 15 few_sockets

step "the path carries a stream"
flow alice bob
expect direct bob alice
flow_ends 2

step "switched off on one side, the relay carries the traffic"
skein bob set --hard-nat=false
stop bob
start node bob
await 10 running bob
reach alice bob 10
expect relayed alice bob
says_why() { { skein alice ping -c 1 bob || true; } | tee -a "$LOGS/alice.log" | grep "$1"; }
# For twenty seconds it is the lost path that is named.
await 25 says_why "trying ports is switched off on bob"
