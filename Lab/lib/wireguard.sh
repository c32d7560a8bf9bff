# shellcheck shell=bash
# Debian's wireguard-go, as a peer of ours and as the yardstick for figures; or WIREGUARD_PROGRAM instead of
# it.

# wireguard_go HOST INTERFACE [PORT]: a userspace WireGuard interface with a fresh key.
wireguard_go() {
    local host=$1 interface=$2 port=${3:-51820}
    local program=${WIREGUARD_PROGRAM:-wireguard-go}
    need "$program" wg
    (umask 077 && wg genkey >"/run/lab/$host/$interface.key")
    launch "$interface" "$host" env WG_PROCESS_FOREGROUND=1 "$program" -f "$interface"
    await 5 on "$host" wg show "$interface"
    on "$host" wg set "$interface" listen-port "$port" private-key "/run/lab/$host/$interface.key"
    on "$host" ip link set "$interface" up
}

# wireguard_key HOST INTERFACE: the public key.
wireguard_key() {
    wg pubkey <"/run/lab/$1/$2.key"
}

# wireguard_peer HOST INTERFACE KEY ALLOWED-IPS [ENDPOINT]
wireguard_peer() {
    on "$1" wg set "$2" peer "$3" allowed-ips "$4" ${5:+endpoint "$5"}
}
