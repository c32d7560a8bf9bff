# shellcheck shell=bash
# Networks. One public switch called "internet" (203.0.113.0/24, and 2001:db8::/64 when the scenario
# says `ipv6`), routers with NAT whose LANs hang below it, and hosts on either. Everything is a
# network namespace, a veth pair, a bridge or an nftables ruleset.
#
# Routers, in the words of RFC 4787:
#   easy         one public port for all destinations; lets in only who was spoken to (address and port)
#   cone         the same port, lets in every port of an address that was spoken to; for one host
#   hard         a new random public port for every destination
#   block        hard, with ports from a block of 512 for UDP: what some providers do
#   udp-blocked  forwards no UDP at all
#   carrier      easy, with 100.64.0.0/10 inside: what a provider puts in front of home routers
# Each drops what arrives for itself: without that an early packet from outside would occupy the
# port that the mapping of the inside host needs.

IPV6=no
LAN_COUNT=0
PUBLIC_COUNT=0
declare -A ADDRESS=() ADDRESS6=() GATEWAY=() GATEWAY6=() SUBNET=() SUBNET6=()
declare -A ROUTER_OF=() HOSTS_ON=() LEASE=() KIND=()

SKEIN_PORT=41641

# ipv6: from here on routers and hosts have IPv6 too (global addresses, stateful firewalls, no NAT).
ipv6() {
    IPV6=yes
}

# Creates the public switch the first time something needs it.
internet() {
    [[ ! -e /run/netns/internet ]] || return 0
    namespace internet
    ip -n internet link add lan type bridge
    ip -n internet link set lan up
    ip -n internet address add 203.0.113.1/24 dev lan
    ip -n internet address add 2001:db8::1/64 dev lan nodad
    SUBNET[internet]=203.0.113 GATEWAY[internet]=203.0.113.1
    SUBNET6[internet]=2001:db8: GATEWAY6[internet]=2001:db8::1
    HOSTS_ON[internet]=9
}

namespace() {
    ip netns add "$1"
    ip -n "$1" link set lo up
    ip netns exec "$1" sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0 \
        net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_redirects=0 \
        net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.default.send_redirects=0
    mkdir -p "/run/lab/$1/wireguard"
    : >"/run/lab/$1/resolv.conf"
}

# router NAME KIND [UPSTREAM]: a router of the kind above, below the internet or another router.
router() {
    local name=$1 kind=$2 upstream=${3:-internet}
    internet
    namespace "$name"
    KIND[$name]=$kind
    LAN_COUNT=$((LAN_COUNT + 1))
    local inside=192.168.$LAN_COUNT
    [[ $kind != carrier ]] || inside=100.64.$LAN_COUNT
    ip netns exec "$name" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
    plug "$name" wan "$upstream"
    ip -n "$name" link add lan type bridge
    ip -n "$name" link set lan up
    ip -n "$name" address add "$inside.1/24" dev lan
    SUBNET[$name]=$inside GATEWAY[$name]=$inside.1 HOSTS_ON[$name]=9
    if [[ $IPV6 == yes ]]; then
        ip -n "$name" address add "2001:db8:$LAN_COUNT::1/64" dev lan nodad
        SUBNET6[$name]=2001:db8:$LAN_COUNT: GATEWAY6[$name]=2001:db8:$LAN_COUNT::1
        announce6 "$name" "2001:db8:$LAN_COUNT::/64"
    fi
    router_rules "$name" "$kind" | ip netns exec "$name" nft -f -
}

# Tells every network above the router where its prefix is.
announce6() {
    local below=$1 prefix=$2
    ip netns exec internet sysctl -qw net.ipv6.conf.all.forwarding=1
    until [[ $below == internet ]]; do
        ip -n "${ROUTER_OF[$below]}" route add "$prefix" via "${ADDRESS6[$below]}"
        below=${ROUTER_OF[$below]}
    done
}

# The nftables rules of a router of some kind. Protocols by number (1 ICMP, 58 ICMPv6): a minimal system
# has no /etc/protocols.
router_rules() {
    local masquerade=masquerade seen="" blocked=""
    case $2 in
    easy | carrier) ;;
    hard) masquerade="masquerade random,fully-random" ;;
    block) masquerade="meta l4proto 17 masquerade to :40448-40959 random,fully-random" ;;
    udp-blocked) blocked="meta l4proto udp drop" ;;
    cone)
        seen="udp dport $SKEIN_PORT ip saddr @seen dnat ip to ${SUBNET[$1]}.10"
        ;;
    *) fail "no such kind of router: $2" ;;
    esac
    cat <<RULES
table inet router {
    set seen {
        type ipv4_addr
        flags timeout
    }
    chain input {
        type filter hook input priority 0; policy drop;
        ct state established,related accept
        iifname "lan" accept
        meta l4proto { 1, 58 } accept
    }
    chain forwarding {
        type filter hook forward priority 0; policy drop;
        $blocked
        iifname "lan" oifname "wan" udp sport $SKEIN_PORT update @seen { ip daddr timeout 60s }
        ct state established,related accept
        ct status dnat accept
        # Frames that the switch hands on come by here where br_netfilter is loaded.
        iifname "lan" oifname "lan" accept
        iifname "lan" oifname "wan" accept
        meta l4proto 58 accept
    }
    chain arriving {
        type nat hook prerouting priority -100;
        $seen
    }
    chain leaving {
        type nat hook postrouting priority 100;
        meta nfproto ipv4 oifname "wan" $masquerade
        meta nfproto ipv4 oifname "wan" masquerade
    }
}
RULES
}

# host NAME [ROUTER]: a machine below the router, or with public addresses when none is named.
host() {
    internet
    namespace "$1"
    plug "$1" eth0 "${2:-internet}"
}

# plug NAME INTERFACE NETWORK: gives the namespace an interface with addresses on that network.
plug() {
    local name=$1 interface=$2 network=$3
    local port=p.$name number
    # Who comes back gets the address it had.
    number=${LEASE[$name@$network]:-$((HOSTS_ON[$network] + 1))}
    ((number <= HOSTS_ON[$network])) || HOSTS_ON[$network]=$number
    LEASE[$name@$network]=$number
    ip -n "$name" link add "$interface" type veth peer name "$port" netns "$network"
    ip -n "$network" link set "$port" master lan up
    ip -n "$name" link set "$interface" up
    ADDRESS[$name]=${SUBNET[$network]}.$number
    ip -n "$name" address add "${ADDRESS[$name]}/24" dev "$interface"
    ip -n "$name" route add default via "${GATEWAY[$network]}"
    ADDRESS6[$name]=
    if [[ $IPV6 == yes && -n ${SUBNET6[$network]-} ]]; then
        ADDRESS6[$name]=${SUBNET6[$network]}:$number
        ip -n "$name" address add "${ADDRESS6[$name]}/64" dev "$interface" nodad
        ip -n "$name" -6 route add default via "${GATEWAY6[$network]}"
    fi
    ROUTER_OF[$name]=$network
}

# unplug NAME: takes the host off its network: the interface disappears.
unplug() {
    ip -n "$1" link delete eth0
}

# move NAME [ROUTER]: the host leaves its network and appears on another, as a laptop does.
move() {
    unplug "$1"
    plug "$1" eth0 "${2:-internet}"
}

# on HOST COMMAND…: runs the command on that host, with the host's own resolv.conf.
on() {
    local host=$1
    shift
    ip netns exec "$host" "$LAB/lib/enter" "$host" "$@"
}

# The address under which the internet sees a host: that of the outermost router above it.
public_address() {
    local name=$1
    while [[ ${ROUTER_OF[$name]} != internet ]]; do
        name=${ROUTER_OF[$name]}
    done
    echo "${ADDRESS[$name]}"
}

# block A B: no packet passes between the two hosts' own addresses any more (their way to the server
# stays); unblock A B: it does again. Blocked where the hosts meet the internet, so nobody is told.
block() {
    local pair
    for pair in "$1 $2" "$2 $1"; do
        # shellcheck disable=SC2086
        block_one_way $pair
    done
}

block_one_way() {
    local edge=$1
    while [[ ${ROUTER_OF[$edge]} != internet ]]; do edge=${ROUTER_OF[$edge]}; done
    local v6=""
    [[ -z ${ADDRESS6[$2]-} ]] || v6="ip6 saddr ${ADDRESS6[$2]} drop"
    ip netns exec "$edge" nft -f - <<RULES
table inet block_$2 {
    chain arriving {
        type filter hook prerouting priority -500;
        ip saddr $(public_address "$2") drop
        $v6
    }
}
RULES
}

unblock() {
    local a=$1 b=$2
    while [[ ${ROUTER_OF[$a]} != internet ]]; do a=${ROUTER_OF[$a]}; done
    while [[ ${ROUTER_OF[$b]} != internet ]]; do b=${ROUTER_OF[$b]}; done
    ip netns exec "$a" nft delete table inet "block_$2"
    ip netns exec "$b" nft delete table inet "block_$1"
}

# by_way_of INTERFACE HOST TABLE: what a public host sends and receives takes the way through a TUN interface of
# the internet, on which some tool must be; nothing else does.
by_way_of() {
    local interface=$1 host=$2 table=$3
    await 5 ip -n internet link set "$interface" up
    ip netns exec internet sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.proxy_arp=1 \
        net.ipv4.conf.all.rp_filter=0 "net.ipv4.conf.p/$host.rp_filter=0" \
        "net.ipv4.conf.$interface.rp_filter=0"
    ip -n internet link set "p.$host" nomaster
    ip -n internet route add "${ADDRESS[$host]}/32" dev "p.$host"
    ip -n internet route add default dev "$interface" table "$table"
    ip -n internet rule add iif "p.$host" lookup "$table" priority "$table"
    ip -n internet rule add iif lan to "${ADDRESS[$host]}" lookup "$table" priority "$((table + 1))"
}

# block_large A B BYTES: packets longer than that are lost between the two, and nobody is told.
block_large() {
    local pair edge
    # A train of datagrams would be judged as one long packet.
    for edge in "$1" "$2"; do
        on "$edge" "$PYTHON" "$LAB/tools/features.py" eth0 tx-udp-segmentation=off
    done
    for pair in "$1 $2" "$2 $1"; do
        # shellcheck disable=SC2086
        set -- $pair "$3"
        edge=$1
        while [[ ${ROUTER_OF[$edge]} != internet ]]; do edge=${ROUTER_OF[$edge]}; done
        ip netns exec "$edge" nft -f - <<RULES
table inet block_$2 {
    chain arriving {
        type filter hook prerouting priority -500;
        ip saddr $(public_address "$2") meta length > $3 drop
    }
}
RULES
    done
}

# clear_blocks NAME: what was blocked where this host meets the internet passes again.
clear_blocks() {
    local edge=$1 table
    while [[ ${ROUTER_OF[$edge]} != internet ]]; do edge=${ROUTER_OF[$edge]}; done
    while read -r table; do
        [[ -z $table ]] || ip netns exec "$edge" nft delete table inet "$table"
    done < <(ip netns exec "$edge" nft list tables | sed -n 's/^table inet \(block_.*\)$/\1/p')
}

# forget_mappings ROUTER: the router reboots: every mapping is gone.
forget_mappings() {
    need conntrack
    ip netns exec "$1" conntrack -F >/dev/null 2>&1
}

# translate ROUTER: its LAN, which must have IPv6 alone, reaches IPv4 through a NAT64 on the router (tayga and
# the router's own NAT), and is told so by a name server (DNS64).
NAT64_PREFIX=2001:db8:64::/96
translate() {
    need tayga
    local router=$1 folder=/run/lab/$1
    cat >"$folder/tayga.conf" <<CONFIG
tun-device nat64
ipv4-addr 192.168.255.1
prefix $NAT64_PREFIX
dynamic-pool 192.168.255.0/24
data-dir $folder
CONFIG
    launch tayga "$router" tayga -d -c "$folder/tayga.conf"
    has_tunnel() { ip -n "$router" link set nat64 up; }
    await 5 has_tunnel
    ip -n "$router" route add 192.168.255.0/24 dev nat64
    ip -n "$router" -6 route add "$NAT64_PREFIX" dev nat64
    ip netns exec "$router" nft add rule inet router forwarding iifname nat64 accept
    ip netns exec "$router" nft add rule inet router forwarding oifname nat64 ct state new accept
    launch dns64 "$router" "$PYTHON" "$LAB/tools/dns64.py" "${GATEWAY6[$router]}" "$NAT64_PREFIX" \
        /run/lab/system/etc/hosts
}

# ipv6_only HOST: takes its IPv4 away, and every name that it does not ask the name server of its network.
ipv6_only() {
    on "$1" ip -4 address flush dev eth0
    echo '::1 localhost' >"/run/lab/$1/hosts"
    echo "nameserver ${GATEWAY6[${ROUTER_OF[$1]}]}" >"/run/lab/$1/resolv.conf"
}
