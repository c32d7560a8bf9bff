import NetTypes

/// Who can use an address that a gateway calls its external one.
enum AddressScope: Equatable {
    /// Anyone.
    case global
    /// Those behind the next NAT: private and shared space, and what providers use inside.
    case behindAnotherNAT
    /// Nobody: no address of a host, or of one link only.
    case unusable

    static func of(_ address: IPAddress) -> AddressScope {
        if address.isUnspecified || address.isLoopback || address.isLinkLocal || address.isMulticast
        {
            return .unusable
        }
        switch address {
        case .v4(let value):
            // 0/8 means this network, 240/4 is reserved with the broadcast address at its end.
            guard value.bits >> 24 != 0, value.bits >> 28 != 0xF else { return .unusable }
            return address.isPrivate || innerPrefixes.contains { $0.contains(address) }
                ? .behindAnotherNAT : .global
        case .v6(let value):
            // Global unicast is 2000::/3 so far (RFC 4291 §2.4).
            guard value.high >> 61 == 1 else { return .unusable }
            return .global
        }
    }

    /// Carrier NAT (RFC 6598), DS-Lite (RFC 6333), benchmarks (RFC 2544).
    private static var innerPrefixes: [IPPrefix] {
        [
            .tunnelIPv4, IPPrefix(.v4(IPv4Address(192, 0, 0, 0)), length: 24),
            IPPrefix(.v4(IPv4Address(198, 18, 0, 0)), length: 15),
        ]
    }

    /// Judges the external endpoint that the gateway of `link` claims.
    static func ofExternal(_ endpoint: Endpoint, _ link: GatewayLink) -> AddressScope {
        let address = endpoint.address
        guard endpoint.port != 0, address.isIPv4 == link.own.address.isIPv4 else {
            return .unusable
        }
        // Our own network again: a mapping that leads back inside, or a lie. With IPv6 nothing is
        // translated and the address must be ours.
        switch address {
        case .v4: if link.own.contains(address) { return .unusable }
        case .v6: if address != link.own.address { return .unusable }
        }
        return of(address)
    }
}
