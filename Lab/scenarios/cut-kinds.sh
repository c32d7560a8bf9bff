#!/bin/bash
# The direct path dies in ways that are hard to see: in one direction only, or for large packets
# only. Traffic flows again within half a second, by relay, and the path is used again when it is
# whole.
#
#    alice -- [easy] -- internet -- [easy] -- bob
#                          |
#                  mesh (server, relay)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 90

router home easy; host alice home
router office easy; host bob office
start server
join alice bob
reach alice bob
expect direct alice bob 5

# interrupted COMMAND…: breaks the path by the command under a stream of large echo requests, 50 a
# second, and says how long none was answered.
interrupted() {
    : >"$LOGS/flow.log"
    launch flow alice ping -4 -n -D -i 0.02 -s 1200 -W 2 "$(address4 bob)"
    await 5 says_received flow 50
    "$@"
    await 10 says_received flow $(($(count_received flow) + 150))
    kill -INT "${PID[flow]}"; await 5 gone flow; forget flow
    local gap
    gap=$(longest_gap "$LOGS/flow.log")
    step "$*: $gap ms without an answer"
    ((gap <= 500 * ${LAB_PATIENCE:-1} + 40)) || fail "$gap ms without an answer after: $*"
}

count_received() { grep -c 'bytes from' "$LOGS/$1.log"; }
says_received() { (($(count_received "$1") >= $2)); }
longest_gap() {
    sed -nE 's/^\[([0-9.]+)\] .*bytes from.*/\1/p' "$1" |
        awk 'NR > 1 && $1 - last > gap {gap = $1 - last} {last = $1} END {printf "%d\n", gap * 1000}'
}

mend() {
    clear_blocks alice; clear_blocks bob
    expect direct alice bob 20
    # Past the memory of what was lost.
    await 20 large_direct
}
large_direct() { ping4 alice bob -c 3 -i 0.1 -s 1200 -W 1 && bypasses_relay alice bob; }

interrupted block alice bob; mend
interrupted block_one_way alice bob; mend
interrupted block_one_way bob alice; mend
interrupted block_large alice bob 1150
step "small packets still go directly"
expect direct alice bob 5
