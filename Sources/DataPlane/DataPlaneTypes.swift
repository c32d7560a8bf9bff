package import NetReport
package import NetTypes
package import PathEngine

/// What the packet thread tells the rest of the node. Called on that thread: take it and return.
package enum DataPlaneEvent: Sendable {
    /// Where peers may reach us: for the coordination server.
    case ownEndpointsChanged([OwnEndpoint])
    /// What measuring the network found out.
    case report(NetReport)
    /// What is known of the lifetimes of NAT mappings has changed.
    case lifetimesLearned([LearnedLifetime])
    /// The peer was met through a hard NAT for the first time.
    case hardNATPassed(NodeKey)
    /// UDP seems blocked: say how far these regions are (`note(relayLatency:region:)`).
    case relayLatencyWanted([Int])
    /// Whether this node can relay for others as it was told to; nil: it can, or need not.
    case peerRelay(problem: String?)
    /// Packets may have to go by this region soon: connect to it, or stay connected.
    case relayLikely(Int)
}

/// How this machine is connected, without the tunnel.
package struct LinkSummary: Equatable, Sendable {
    /// What peers may be told of, best first.
    package var addresses: [IPAddress]
    /// What packets can be sent by.
    package var families: AddressFamilies
    /// Set on a network without IPv4: how its hosts are reached all the same.
    package var nat64: NAT64Prefix?

    package init(addresses: [IPAddress], families: AddressFamilies, nat64: NAT64Prefix? = nil) {
        self.addresses = addresses
        self.families = families
        self.nat64 = nat64
    }
}

/// What became of a ping.
package enum PingOutcome: Equatable, Sendable {
    package enum Path: Equatable, Sendable {
        case direct(Endpoint)
        /// Through another node's UDP relay.
        case peerRelay(PeerRelayAddress)
        case relay(region: Int)
        /// Answered by the peer's host inside the tunnel.
        case tunnel
    }
    case answered(Path, roundTrip: Nanoseconds)
    case timedOut
    case unknownPeer
    /// More are under way than the packet thread keeps track of.
    case tooMany
}

/// The state of the tunnel at one moment.
package struct DataPlaneSnapshot: Sendable {
    package struct Peer: Sendable {
        package var path: PathStatus
        /// Whole WireGuard messages, handshakes included.
        package var receivedBytes: UInt64
        package var sentBytes: UInt64
        package var lastHandshake: Timestamp?
        package var allowedIPs: [IPPrefix]
    }
    package var takenAt: MonotonicInstant
    package var peers: [NodeKey: Peer] = [:]
    /// Packets and drops by name, in a fixed order.
    package var counters: [(name: String, value: Int64)] = []
    /// What the kernel does for the packet thread, by name, in a fixed order.
    package var offloads: [(name: String, value: String)] = []
    package var listenPort: UInt16 = 0
    package var publicKey: NodeKey?
}

/// How this node relays for others.
package struct PeerRelaySettings: Equatable, Sendable {
    /// 0: any that is free.
    package var port: UInt16
    /// Where clients reach the relay besides what it finds out for itself, such as a port that a
    /// gateway forwards to it.
    package var staticEndpoints: [Endpoint]

    package init(port: UInt16, staticEndpoints: [Endpoint] = []) {
        self.port = port
        self.staticEndpoints = staticEndpoints
    }
}
