package import NetTypes
package import PortMappingMessages

/// The ways to ask a gateway for a port, best first: PCP says whose a mapping is and opens IPv6
/// firewalls, NAT-PMP is as quick, UPnP takes several requests over TCP.
package enum PortMappingProtocol: Int, CaseIterable, Sendable {
    case pcp
    case natPMP
    case upnp

    /// As people know it.
    package var name: String {
        switch self {
        case .pcp: "PCP"
        case .natPMP: "NAT-PMP"
        case .upnp: "UPnP"
        }
    }
}

/// A gateway and our place behind it, in one address family.
package struct GatewayLink: Hashable, Sendable {
    package var gateway: IPAddress
    /// Our address on the way to it, with the length of the network both are in.
    package var own: IPPrefix
    /// Of the socket to be reached.
    package var port: UInt16

    package init(gateway: IPAddress, own: IPPrefix, port: UInt16) {
        self.gateway = gateway
        self.own = own
        self.port = port
    }

    package var internalEndpoint: Endpoint { Endpoint(own.address, port: port) }

    /// Whether there is something to ask the gateway for: behind it, or behind its firewall.
    var isWorthAsking: Bool {
        switch own.address {
        case .v4: AddressScope.of(own.address) == .behindAnotherNAT && own.contains(gateway)
        case .v6: AddressScope.of(own.address) == .global
        }
    }
}

/// What is to be sent.
package enum PortMappingTransmit: Equatable, Sendable {
    case datagram([UInt8], to: Endpoint)
    /// One request on a TCP connection of its own; the answer goes to `handleExchange`.
    case exchange(id: Int, to: Endpoint, request: [UInt8])
    /// Nobody waits for this exchange any more.
    case abandon(id: Int)
}

package enum PortMappingEvent: Equatable, Sendable {
    /// A mapping appeared, changed or went, or something else was learnt of a gateway.
    case changed(PortMappingStatus)
}

/// What is known of the gateways, for `netcheck` and for the server.
package struct PortMappingStatus: Equatable, Sendable {
    package struct Mapping: Equatable, Sendable {
        package var `protocol`: PortMappingProtocol
        package var external: Endpoint
        package var `internal`: Endpoint
        /// What the gateway granted.
        package var lifetime: Nanoseconds
        package var expiresAt: MonotonicInstant
        /// False where the gateway's outer address is one behind another NAT: the mapping does no
        /// harm, but nobody outside can use it.
        package var isReachable: Bool
    }
    /// Whether any gateway answered to the protocol; nil when none was asked (yet).
    package var pcp: Bool?
    package var natPMP: Bool?
    package var upnp: Bool?
    /// IPv4 before IPv6.
    package var mappings: [Mapping] = []
    /// Why there is no mapping where a gateway was asked; one line for people.
    package var problem: String?

    package init() {}

    /// The endpoints to announce.
    package var endpoints: [Endpoint] { mappings.filter(\.isReachable).map(\.external) }
}

/// What is kept across restarts, so that a gateway gives the same port again and lets us renew what a
/// killed process left behind.
package struct PortMappingMemory: Equatable, Sendable {
    /// 0 when there was none.
    package var externalPort: UInt16
    package var nonce: PCPNonce

    package init(externalPort: UInt16, nonce: PCPNonce) {
        self.externalPort = externalPort
        self.nonce = nonce
    }
}
