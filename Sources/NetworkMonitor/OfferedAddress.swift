import NetTypes

/// Which of a machine's addresses peers are told of.
///
/// | class | offered | because |
/// |---|---|---|
/// | loopback, link-local, unspecified, multicast | no | they mean something on one machine or link only |
/// | fd7a:115c:a1e0::/48 | no | of this tunnel or another one |
/// | 100.64/10 | with the default route | then it is a carrier's, and customers of the same one reach it; otherwise it is of a tunnel |
/// | 192.0.0/29 | no | the inner end of a translator (RFC 7335) |
/// | private IPv4, other unique local IPv6 | yes | peers of the same network reach it, and for others it costs a few pings |
/// | global | yes | |
/// | bridges of containers and virtual machines | no | many machines have the same ones, so pings would meet strangers; unless the default route is there |
///
/// Tentative, deprecated and temporary IPv6 addresses are left out where the kernel is asked.
enum OfferedAddress {
    private static let bridges = [
        "docker", "br-", "veth", "virbr", "cni", "flannel", "cali", "podman", "lxcbr", "lxdbr",
        "vmnet", "vboxnet",
    ]
    private static let translator = IPPrefix(.v4(IPv4Address(192, 0, 0, 0)), length: 29)

    static func isOffered(_ entry: LinkState.Address, isDefault: Bool) -> Bool {
        let address = entry.prefix.address
        guard !address.isLoopback, !address.isLinkLocal, !address.isUnspecified,
            !address.isMulticast, !IPPrefix.tunnelIPv6.contains(address),
            !translator.contains(address)
        else { return false }
        if isDefault { return true }
        return !IPPrefix.tunnelIPv4.contains(address)
            && !bridges.contains { entry.interface.hasPrefix($0) }
    }
}
