# shellcheck shell=bash
# Routers that map ports when asked: miniupnpd, which adds its rules to those of the router.

# further_address ROUTER ADDRESS: one more address on its public side, from which everything it sends
# out appears, reached by all through the switch.
further_address() {
    ip -n "$1" address add "$2/32" dev wan
    ip netns exec internet sysctl -qw net.ipv4.ip_forward=1
    ip -n internet route add "$2/32" via "${ADDRESS[$1]}"
    EXTERNAL[$1]=$2
}
declare -A EXTERNAL=()

# gateway ROUTER pcp|natpmp|upnp: starts miniupnpd on the router; pcp is PCP and NAT-PMP. Where the lab has
# IPv6, it opens the firewall by PCP or UPnP.
gateway() {
    local router=$1 folder=/run/lab/$1
    local pmp=yes upnp=no
    [[ $2 != upnp ]] || { pmp=no; upnp=yes; }
    # It has no switch of its own for PCP: what begins with version 2 does not reach it.
    ip netns exec "$router" nft -f - <<RULES
table inet no_pcp
delete table inet no_pcp
RULES
    [[ $2 != natpmp ]] || ip netns exec "$router" nft -f - <<RULES
table inet no_pcp {
    chain arriving {
        type filter hook input priority -10;
        udp dport 5351 @th,64,8 2 drop
    }
}
RULES
    ip netns exec "$router" nft -f - <<RULES
add chain inet router miniupnpd
add chain inet router prerouting_miniupnpd
add chain inet router postrouting_miniupnpd
flush chain inet router miniupnpd
flush chain inet router prerouting_miniupnpd
flush chain inet router postrouting_miniupnpd
RULES
    ip netns exec "$router" nft list chain inet router arriving | grep -q prerouting_miniupnpd ||
        ip netns exec "$router" nft -f - <<RULES
insert rule inet router arriving jump prerouting_miniupnpd
insert rule inet router leaving jump postrouting_miniupnpd
insert rule inet router forwarding jump miniupnpd
RULES
    cat >"$folder/miniupnpd.conf" <<CONFIG
ext_ifname=wan
ext_ip=${EXTERNAL[$router]}
listening_ip=lan
enable_natpmp=$pmp
enable_upnp=$upnp
secure_mode=yes
min_lifetime=120
max_lifetime=86400
system_uptime=no
uuid=00000000-0000-0000-0000-000000000001
upnp_table_name=router
upnp_nat_table_name=router
upnp_forward_chain=miniupnpd
upnp_nat_chain=prerouting_miniupnpd
upnp_nat_postrouting_chain=postrouting_miniupnpd
allow 1024-65535 0.0.0.0/0 1024-65535
deny 0-65535 0.0.0.0/0 0-65535
CONFIG
    launch miniupnpd "$router" miniupnpd -d -f "$folder/miniupnpd.conf" -P "$folder/miniupnpd.pid"
}

# maps_port ROUTER HOST: the router forwards a port to the host's node.
maps_port() {
    ip netns exec "$1" nft list chain inet router prerouting_miniupnpd |
        grep "dnat ip to ${ADDRESS[$2]}:$SKEIN_PORT"
}

# opens_firewall ROUTER HOST: the router lets in whatever comes for the host's node over IPv6.
opens_firewall() {
    # As miniupnpd writes it: the destination lies 192 bits behind the start of the IPv6 header.
    ip netns exec "$1" nft list chain inet router miniupnpd |
        grep "dport $SKEIN_PORT .*@nh,192,128 0x$(hexadecimal6 "${ADDRESS6[$2]}") .*accept"
}

hexadecimal6() {
    "$PYTHON" -c 'import ipaddress, sys; print(ipaddress.ip_address(sys.argv[1]).packed.hex())' "$1"
}

maps_nothing() {
    ! ip netns exec "$1" nft list chain inet router prerouting_miniupnpd | grep dnat
}
