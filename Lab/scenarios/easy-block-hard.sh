#!/bin/bash
# As easy-hard, but the hard router belongs to a provider who gives each customer a block of 512 ports:
# bob's node sees from some STUN answers where the block lies, and few sockets and probes are enough.
#
#    alice -- [easy] -- internet -- [block] -- bob
#                          |
#                  mesh (server, relay)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 40

router home easy; host alice home
router office block; host bob office
start server
join alice bob

reach alice bob
expect direct alice bob 12
reach alice bob

flows=$(on office sysctl -n net.netfilter.nf_conntrack_count)
step "$flows flows in bob's router"
((flows < 400)) || fail "$flows flows for a block of 512 ports"
