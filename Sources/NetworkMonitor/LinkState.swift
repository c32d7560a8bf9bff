package import NetTypes

/// How this machine is connected, the tunnel left out.
package struct LinkState: Equatable, Sendable {
    package struct Address: Hashable, Comparable, Sendable {
        package var interface: String
        /// With the length of its on-link prefix.
        package var prefix: IPPrefix

        package init(interface: String, prefix: IPPrefix) {
            self.interface = interface
            self.prefix = prefix
        }
        package static func < (left: Self, right: Self) -> Bool {
            (left.interface, left.prefix) < (right.interface, right.prefix)
        }
    }

    /// Of interfaces that are up, sorted.
    package var addresses: [Address]
    /// The interface of the best default route.
    package var defaultInterfaceV4: String?
    package var defaultInterfaceV6: String?
    /// The router of the best default route, where it has one.
    package var gatewayV4: IPAddress?
    package var gatewayV6: IPAddress?

    package init(
        addresses: [Address] = [], defaultInterfaceV4: String? = nil,
        defaultInterfaceV6: String? = nil, gatewayV4: IPAddress? = nil, gatewayV6: IPAddress? = nil
    ) {
        self.addresses = addresses
        self.defaultInterfaceV4 = defaultInterfaceV4
        self.defaultInterfaceV6 = defaultInterfaceV6
        self.gatewayV4 = gatewayV4
        self.gatewayV6 = gatewayV6
    }

    package var hasDefaultRouteV4: Bool { defaultInterfaceV4 != nil }
    package var hasDefaultRouteV6: Bool { defaultInterfaceV6 != nil }

    /// Addresses at which a peer might reach this machine, sorted and without repetition.
    package var candidateAddresses: [IPAddress] {
        let candidates = addresses.filter {
            OfferedAddress.isOffered($0, isDefault: isDefault($0.interface))
        }
        return Array(Set(candidates.map(\.prefix.address))).sorted()
    }

    /// Packets of the family can leave this machine: an address alone may be one that no peer can use.
    package var canSendIPv4: Bool {
        hasDefaultRouteV4 || candidateAddresses.contains(where: \.isIPv4)
    }
    package var canSendIPv6: Bool {
        hasDefaultRouteV6 || candidateAddresses.contains(where: \.isIPv6)
    }

    private func isDefault(_ interface: String) -> Bool {
        interface == defaultInterfaceV4 || interface == defaultInterfaceV6
    }
}
