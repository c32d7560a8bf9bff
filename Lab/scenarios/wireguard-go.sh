#!/bin/bash
# Debian's wireguard-go and our engine are each other's peers, with nothing but plain WireGuard between them.
#
#    alice --- internet --- bob
#    skein                  wireguard-go
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 30

host alice
host bob
wireguard_go bob wg1
wireguard_go alice wg0
wireguard_peer bob wg1 "$(wireguard_key alice wg0)" 10.9.0.1/32,fd09::1/128
wireguard_peer alice wg0 "$(wireguard_key bob wg1)" 10.9.0.2/32,fd09::2/128 "${ADDRESS[bob]}:51820"
on alice ip address add 10.9.0.1/24 dev wg0
on alice ip address add fd09::1/64 dev wg0 nodad
on bob ip address add 10.9.0.2/24 dev wg1
on bob ip address add fd09::2/64 dev wg1 nodad
await 5 on alice ping -c 1 -W 1 10.9.0.2
await 5 on bob ping -c 1 -W 1 fd09::1
