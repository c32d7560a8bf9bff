#!/bin/bash
# A router that answers to every port mapping protocol and lies: the mapped address is one that cannot
# be, epochs run backwards, its UPnP documents are elsewhere or never end. The node announces nothing
# of it, does not hurry, and the relay carries the traffic.
#
#    alice -- [hard, liar] -- internet -- [hard] -- bob
#                                |
#                        mesh (server, relay)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 60

router home hard; host alice home
router office hard; host bob office
start server

for lie in 127.0.0.1 "${GATEWAY[home]}" 224.0.0.1; do
    launch liar home "$PYTHON" "$LAB/tools/lying_gateway.py" "${GATEWAY[home]}" "$lie"
    join alice
    await 5 grep -q '^asked 0201' "$LOGS/liar.log"
    await 10 grep -q '^page' "$LOGS/liar.log"
    [[ -n ${PID[bob]-} ]] || join bob
    reach alice bob
    skein alice status --json | jq -r '.Self.Addrs[]' >"$LOGS/addresses.log"
    ! grep -F "$lie:" "$LOGS/addresses.log" || fail "the lie is announced"
    (($(grep -c . "$LOGS/liar.log") < 60)) || fail "the liar is asked too often"
    stop alice
    crash liar
    rm "$LOGS/liar.log"
done
