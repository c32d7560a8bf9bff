#!/bin/bash
# A node that nobody talks to sleeps: its threads wake less than a few times a minute, its router sees
# next to no packets for peers, and it can still be reached at once.
#
#    alice -- [easy] -- internet -- [easy] -- bob
#                          |
#                  mesh (server, relay)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 240

router home easy; host alice home
router office easy; host bob office
start server
join alice bob
reach alice bob
expect direct alice bob 5

# wakeups THREAD: how often a thread of alice's node has gone to sleep so far.
wakeups() {
    local task
    for task in /proc/"${PID[alice]}"/task/*; do
        [[ $(<"$task/comm") != "$1" ]] || awk '/^voluntary/ {print $2}' "$task/status"
    done
}
all_wakeups() { cat /proc/"${PID[alice]}"/task/*/status | awk '/^voluntary/ {sum += $2} END {print sum}'; }
udp_sent() { on home nft list chain inet router count | sed -nE 's/.*packets ([0-9]+).*/\1/p'; }
on home nft "add chain inet router count { type filter hook postrouting priority 200; }"
on home nft "add rule inet router count oifname wan udp sport 41641 counter"

step "the session ends 45 s after the last packet"
sleep 60
packets=$(wakeups skein-packets) links=$(wakeups network-monito) sent=$(udp_sent)
all=$(all_wakeups)
sleep 120
all=$(($(all_wakeups) - all))
packets=$(($(wakeups skein-packets) - packets)) links=$(($(wakeups network-monito) - links))
sent=$(($(udp_sent) - sent))
step "in two minutes: $packets wake-ups of the packet thread, $links of the monitor, $all of all threads; $sent datagrams"
# Beside the server's signs of life there may be one search for a gateway that maps ports.
((all <= 24)) || fail "the threads woke $all times in two minutes"
((packets <= 8)) || fail "the packet thread woke $packets times in two minutes"
((links <= 2)) || fail "the network monitor woke $links times in two minutes"
((sent <= 4)) || fail "$sent datagrams in two minutes"

step "and bob reaches it at once"
await 2 ping4 bob alice
