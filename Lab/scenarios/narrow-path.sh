#!/bin/bash
# The last link to bob carries packets of 1300 bytes at most, less than the tunnel's largest need:
# they arrive nonetheless, by relay, small ones go directly, senders are told what passes, and TCP
# flows directly.
#
#    alice -- [easy] -- internet -- [easy] == 1300 == bob
#                          |
#                  mesh (server, relay)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
need python3
budget 60

router home easy; host alice home
router office easy; host bob office
ip -n bob link set eth0 mtu 1300; ip -n office link set p.bob mtu 1300
start server
join alice bob
reach alice bob
expect direct alice bob 5

step "packets of the largest size arrive, over IPv4 and IPv6"
# 1280 bytes with the headers; the first may be told off, for IPv4 where it must not be fragmented.
await 5 ping4 alice bob -c 5 -i 0.1 -s 1252 -M dont -W 1
await 5 ping6 alice bob -c 5 -i 0.1 -s 1232 -W 1
await 5 ping4 bob alice -c 5 -i 0.1 -s 1252 -M dont -W 1

step "the sender of an IPv4 packet that must not be fragmented is told"
told() { ping4 alice bob -c 2 -i 0.2 -s 1252 -M do -W 1 2>&1 | grep -E "mtu ?= ?12[0-9][0-9]"; }
await 10 told
says_mtu() { on alice ip -4 route get "$(address4 bob)" | grep -E "mtu 12[0-9][0-9]"; }
await 5 says_mtu

step "small ones go directly"
expect direct alice bob 5

step "TCP sends segments that fit, directly"
launch sink bob python3 "$LAB/tools/tcp_sink.py" 7000
says_ready() { grep -q ready "$LOGS/sink.log"; }
await 5 says_ready
before=$(mesh_bytes)
on alice python3 - "$(address4 bob)" <<'PY'
import socket, sys
sock = socket.create_connection((sys.argv[1], 7000), timeout=5)
sock.sendall(bytes(2_000_000))
sock.shutdown(socket.SHUT_WR)
assert sock.recv(16) == b"2000000", "not all arrived"
PY
relayed=$(($(mesh_bytes) - before))
step "$relayed of 2000000 bytes passed the relay"
((relayed < 200000)) || fail "$relayed of 2000000 bytes passed the relay"
