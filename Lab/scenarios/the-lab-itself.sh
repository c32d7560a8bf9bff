#!/bin/bash
# The lab's routers behave as lib/topology.sh says, shown with plain UDP sockets and no program of ours.
#
#   easy1 -- [easy] --+            +-- [hard] ------- hard1
#   easy2 -- [easy] --+- internet -+-- [hard] ------- hard2
#   cone1 -- [cone] --+    |  |    +-- [udp-blocked]- shut1
#                        one  two  +-- [carrier] -- [easy] -- deep1
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 60
need python3

ipv6
host one
host two
router easyA easy; host easy1 easyA
router easyB easy; host easy2 easyB
router coneA cone; host cone1 coneA
router hardA hard; host hard1 hardA
router hardB hard; host hard2 hardB
router shutA udp-blocked; host shut1 shutA
router carrierA carrier; router deepA easy carrierA; host deep1 deepA

udp() { on "$1" "$PYTHON" "$LAB/tools/udp.py" "${@:2}"; }
mapped() { udp "$1" mapped 41641 "${ADDRESS[one]}:3478" "${ADDRESS[two]}:3478"; }
ports() { mapped "$1" | cut -d' ' -f2 | sort -u | wc -l; }
# Both ends send to what they believe is the other's port.
punched() {
    local status=0
    udp "$1" punch 41641 "$4" "${5:-2}" >/dev/null 2>&1 &
    udp "$2" punch 41641 "$3" "${5:-2}" >/dev/null 2>&1 || status=1
    wait $! || status=1
    return $status
}

launch one one "$PYTHON" "$LAB/tools/udp.py" reflect 3478
launch two two "$PYTHON" "$LAB/tools/udp.py" reflect 3478
await 5 mapped one

step "easy and cone keep one port for all destinations, hard does not, blocked passes nothing"
for name in easy1 easy2 cone1 deep1; do
    [[ $(ports $name) == 1 ]] || fail "$name has more than one port"
done
for name in hard1 hard2; do
    [[ $(ports $name) == 2 ]] || fail "$name has the same port for two destinations"
done
refused udp shut1 mapped 41641 "${ADDRESS[one]}:3478"
says "does not answer"
on shut1 ping -c 1 -W 1 "${ADDRESS[one]}" >/dev/null

step "the outside sees the outermost router"
[[ $(mapped deep1 | cut -d' ' -f1 | sort -u) == "$(public_address deep1)" ]] || fail "deep1: $(mapped deep1)"
[[ $(public_address deep1) == 203.0.113.* && ${ADDRESS[deepA]} == 100.64.* ]] || fail "deep1 is not two levels deep"

at() { echo "$(public_address "$1"):$(mapped "$1" | sed -n 1p | cut -d' ' -f2)"; }
step "easy meets easy, also two levels deep; public meets anyone"
punched easy1 easy2 "$(at easy1)" "$(at easy2)"
punched easy1 deep1 "$(at easy1)" "$(at deep1)"

step "hard meets neither easy nor hard, but does meet cone"
refused punched easy1 hard1 "$(at easy1)" "$(at hard1)" 1
refused punched hard1 hard2 "$(at hard1)" "$(at hard2)" 1
punched cone1 hard1 "$(at cone1)" "$(at hard1)"

step "strangers are kept out, and leave no trace that would take a port"
launch stranger two "$PYTHON" "$LAB/tools/udp.py" punch 5000 "$(public_address easy2):5001" 1
refused udp easy2 listen 5001 1
await 3 gone stranger
[[ $(udp easy2 mapped 5001 "${ADDRESS[two]}:3478" | cut -d' ' -f2) == 5001 ]] || fail "the port was taken"

step "IPv6 is routed without NAT through stateful firewalls"
on easy1 ping -6 -c 1 -W 1 "${ADDRESS6[two]}" >/dev/null
on deep1 ping -6 -c 1 -W 1 "${ADDRESS6[two]}" >/dev/null
[[ $(udp easy1 mapped 41641 "[${ADDRESS6[one]}]:3478" 2>/dev/null || udp easy1 mapped 41641 "${ADDRESS6[one]}:3478") == "${ADDRESS6[easy1]} 41641" ]] || fail "IPv6 is translated"
punched easy1 hard2 "${ADDRESS6[easy1]}:41641" "${ADDRESS6[hard2]}:41641"
refused udp easy2 punch 6000 "${ADDRESS6[hard2]}:6000" 1

step "block and unblock, move"
block easy1 two
refused udp easy1 mapped 41641 "${ADDRESS[two]}:3478"
udp easy1 mapped 41641 "${ADDRESS[one]}:3478" >/dev/null
unblock easy1 two
mapped easy1 >/dev/null
move easy1 hardA
[[ $(ports easy1) == 2 ]] || fail "easy1 did not move behind the hard router"
