#!/bin/bash
# Debian's wireguard-go and our engine are each other's peers, with nothing but plain WireGuard between them:
# `wg` configures both. Two wireguard-go first, so that a failure of the lab is not taken for one of ours.
#
#                  mesh (server: alice is a node as any other, too)
#                    |
#    alice ------- internet ------- bob
#    skein0 (ours), wg0             wg1, wg2 (wireguard-go)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 40

host alice
host bob
wireguard_go bob wg1 51821
wireguard_go alice wg0
wireguard_peer bob wg1 "$(wireguard_key alice wg0)" 10.9.0.1/32,fd09::1/128
wireguard_peer alice wg0 "$(wireguard_key bob wg1)" 10.9.0.2/32,fd09::2/128 "${ADDRESS[bob]}:51821"
addresses() { # HOST INTERFACE NETWORK NUMBER
    on "$1" ip address add "10.$3.0.$4/24" dev "$2"
    on "$1" ip address add "fd0$3::$4/64" dev "$2" nodad
}
addresses alice wg0 9 1
addresses bob wg1 9 2
await 5 on alice ping -c 1 -W 1 10.9.0.2
await 5 on bob ping -c 1 -W 1 fd09::1

step "ours and theirs"
start server
join alice
key=$(on alice "$SKEIN_BIN/skein" --socket /run/lab/alice/skein.sock status --json | jq -r .Self.PublicKey)
key=$("$PYTHON" -c 'import base64, sys; print(base64.b64encode(bytes.fromhex(sys.argv[1])).decode())' "${key#nodekey:}")
# Our filter lets in what is for the node's own addresses, so the peer is told of those.
own=$(address4 alice)/32,$(address6 alice)/128
theirs() { # ENDPOINT…: wireguard-go with a new key, and both ends told of each other
    wireguard_go bob wg2 51822
    wireguard_peer bob wg2 "$key" "$own" "$@"
    wireguard_peer alice skein0 "$(wireguard_key bob wg2)" 10.8.0.2/32,fd08::2/128 "${ADDRESS[bob]}:51822"
    addresses bob wg2 8 2
    on bob ip route add "$(address4 alice)" dev wg2
    on bob ip route add "$(address6 alice)" dev wg2
}
theirs
on alice ip route add 10.8.0.2 dev skein0
on alice ip route add fd08::2 dev skein0
await 5 on alice ping -c 1 -W 1 10.8.0.2
await 5 on bob ping -c 1 -W 1 "$(address6 alice)"
on alice ping -c 50 -i 0.02 -s 1200 10.8.0.2 >"$LOGS/ping.log"
grep -q " 0% packet loss" "$LOGS/ping.log" || fail "packets were lost: $(tail -2 "$LOGS/ping.log")"
on alice wg show skein0 | grep "latest handshake" >/dev/null || fail "wg shows no handshake: $(on alice wg show skein0)"
[[ $(on alice wg show skein0 private-key) == "(none)" ]] || fail "wg shows a private key"

step "theirs forgets everything, and comes back with another key"
on alice wg set skein0 peer "$(wireguard_key bob wg2)" remove
stop wg2
theirs "${ADDRESS[alice]}:$SKEIN_PORT"
await 10 on bob ping -c 1 -W 1 "$(address4 alice)"
await 10 on alice ping -c 1 -W 1 fd08::2
