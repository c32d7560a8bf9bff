#!/bin/bash
# skein-server is killed (kill -9) again and again while machines register: a machine that was told
# "you are in" is in, with the address it was given, and no address is given twice.
#
#    n1 … n12 --- internet --- mesh (server, killed every second or so)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 150

SEED=${SEED:-$RANDOM}
RANDOM=$SEED
COUNT=12
start server
nodes=()
for ((i = 1; i <= COUNT; i++)); do
    host "n$i"
    nodes+=("n$i")
    start node "n$i" --tun none
done

# Registers one machine, trying until it succeeds; writes what it was told.
register() {
    until skein "$1" up --login-server "$SERVER_URL" --auth-key "$JOIN_KEY" --hostname "$1" --timeout 5s \
        >>"$LOGS/$1.log" 2>&1 && running "$1"; do sleep 0.1; done
    skein "$1" status --json | jq -c '{name: .Self.HostName, key: .Self.PublicKey, ips: .TailscaleIPs}' >"/run/lab/$1/told"
}
told() { cat /run/lab/*/told 2>/dev/null | wc -l; }

step "seed $SEED"
registrations=()
for node in "${nodes[@]}"; do register "$node" & registrations+=($!); done
kills=0
while (($(told) < COUNT)); do
    sleep "0.$((RANDOM % 7 + 2))"
    crash mesh
    kills=$((kills + 1))
    start server
    ((kills < 40)) || break
done
for pid in "${registrations[@]}"; do wait "$pid"; done
step "killed $kills times; $(told) machines were told that they are in"
crash mesh
start server

listed=$(administer nodes list --output json)
for node in "${nodes[@]}"; do
    for address in $(jq -r '.ips[]' "/run/lab/$node/told"); do
        grep -qF "\"$address\"" <<<"$listed" || fail "$node was given $address, but the server does not know it: $listed"
    done
done
doubles=$(cat /run/lab/*/told | jq -r '.ips[]' | sort | uniq -d)
[[ -z $doubles ]] || fail "given twice: $doubles"
for node in "${nodes[@]}"; do await 20 running "$node"; done
