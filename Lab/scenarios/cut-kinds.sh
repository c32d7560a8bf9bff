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

# interrupted MILLISECONDS COMMAND…: breaks the path by the command under a stream of large packets.
interrupted() {
    outage alice bob -s 1200 -- "${@:2}"
    expect_outage "$1"
}

mend() {
    clear_blocks alice; clear_blocks bob
    expect direct alice bob 20
    # Past the memory of what was lost.
    await 20 large_direct
}
large_direct() { ping4 alice bob -c 3 -i 0.1 -s 1200 -W 1 && bypasses_relay alice bob; }

interrupted 500 block alice bob; mend
interrupted 500 block_one_way alice bob; mend
interrupted 500 block_one_way bob alice; mend
# Small packets still pass. The host is told of the smaller path a little later: that loses nothing more.
interrupted 500 block_large alice bob 1150
step "small packets still go directly"
expect direct alice bob 5
