#!/bin/bash
# A machine whose name server never answers: joining says so in time, and the daemon still stops at once.
#
#    alice --- internet --- names (drops every question)
#                 |
#        mesh (server, relay)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 20

host alice
host names
ip netns exec names nft 'table inet silent { chain input { type filter hook input priority 0; udp dport 53 drop; }; }'
start server
echo "nameserver ${ADDRESS[names]}" >/run/lab/alice/resolv.conf
start node alice

refused skein alice up --login-server http://nowhere.example --auth-key "$JOIN_KEY" --timeout 2s
says "not connected within"
step "stopping while the question is open"
asked_at=$(now)
stop alice
took=$(($(now) - asked_at))
((EXIT_STATUS == 0)) || fail "skein daemon ended with status $EXIT_STATUS on SIGTERM"
((took < 2000 * PATIENCE)) || fail "stopping took $took ms"
