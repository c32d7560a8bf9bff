#!/bin/bash
# Two routers with a new port for every destination, and a node with a public address that an administrator
# lets relay UDP: traffic goes through it instead of the server's relay, goes on when it dies, and comes
# back to it.
#
#    alice -- [hard] -- internet -- [hard] -- bob
#                        |    |
#          (server) mesh      carol (node, relays UDP)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 150

# by_peer_relay A B: A's packets to B go through carol. The ping keeps the path wanted.
by_peer_relay() {
    ping4 "$1" "$2" >/dev/null || true
    local way
    way=$(peer "$1" "$2" PeerRelay)
    echo "PeerRelay=$way"
    [[ $way == "${ADDRESS[carol]}:40000:vni:"* ]]
}

router home hard; host alice home
router office hard; host bob office
host carol
start server
join alice bob carol

step "without an administrator's word nobody relays"
skein carol set --relay-server-port 40000
reach alice bob
expect relayed alice bob

step "with it, both ends use it"
administer nodes relay carol
await 40 by_peer_relay alice bob
await 10 by_peer_relay bob alice
await 10 bypasses_relay alice bob
reach alice bob
LAST_OUTPUT=$(skein alice ping -c 1 --until-direct=false bob)
says "via peer-relay\\(${ADDRESS[carol]}:40000:vni:"
LAST_OUTPUT=$(skein alice status)
says "peer-relay ${ADDRESS[carol]}:40000:vni:"

step "a large download passes"
ping4 alice bob -c 20 -i 0.02 -s 1200 -W 2

step "it dies: the server's relay carries on"
outage alice bob -- crash carol
expect_outage 500
reach alice bob

step "it comes back"
start node carol
await 10 running carol
await 45 by_peer_relay alice bob
await 10 by_peer_relay bob alice

step "alice moves and binds again"
router hotel hard
move alice hotel
await 15 by_peer_relay alice bob
await 15 by_peer_relay bob alice

step "the administrator takes it back: no new way through it is given"
administer nodes relay carol --off
crash carol
start node carol
await 10 running carol
reach alice bob
expect relayed alice bob
