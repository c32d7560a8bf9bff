#!/bin/bash
# Two regions of relays, as far away as each other: a node stays with the one that it has chosen, however their
# latencies tremble and when the other is a little nearer, moves once when the other is much nearer for long, and
# stays there. Clocks go ten times as fast, so that five minutes are half of one; latencies of the network are in
# their milliseconds.
#
#    alice -- internet -- delay -- near (relay of region 901)
#                 |  \--- delay -- far (relay of region 902)
#               mesh
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 200

SPEED=10
tool delay
host alice
tls; no_embedded_relay
relay near 901; relay far 902
for name in alice mesh near far; do speed "$name" $SPEED; done

# distance RELAY MILLISECONDS: of its round trips, of which a sixth more comes by chance.
distance() {
    awk -v ms="$2" -v speed=$SPEED 'BEGIN {print ms / speed / 2, ms / speed / 12}' >"/run/lab/$1.delay"
}
far_away() {
    distance "$1" "$2"
    launch "delay-$1" internet /run/lab/delay "delay$3" "/run/lab/$1.delay"
    by_way_of "delay$3" "$1" "$3"
}
far_away near 60 110
far_away far 60 120
start server
start_relay near; start_relay far
join alice

# measured: each makes a full report.
measured() { skein alice netcheck >"$LOGS/netcheck.log"; }
# stays_for SECONDS REGION: while it is measured again and again.
stays_for() {
    local end=$((SECONDS + $1))
    while ((SECONDS < end)); do
        measured
        at_home alice "$2" || fail "moved home by itself"
    done
}
moves() { measured; at_home alice "$1"; }

settled() { [[ $(home_of alice) == region90[12] ]]; }
await 10 settled
# A choice is as good as the measurements that it rests on: the first report has one of each.
for ((i = 0; i < 6; i++)); do measured; done
first=$(home_of alice)
if [[ $first == region901 ]]; then home=near other=far second=region902; else home=far other=near second=region901; fi
step "at home in $first; both relays are 60 ms away"
stays_for 8 "$first"

step "the other is a little nearer, for longer than is remembered"
distance "$other" 48
stays_for 45 "$first"

step "home is much farther than the other"
distance "$home" 160
await 60 moves "$second"
step "moved to $second"
stays_for 5 "$second"

step "they are alike again: no way back"
distance "$home" 48
stays_for 45 "$second"
