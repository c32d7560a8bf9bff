package import NetTypes

/// Where a disco message goes.
package enum PathDestination: Hashable, Sendable {
    case udp(Endpoint)
    case relay(region: Int, to: NodeKey)
}

/// One disco message to send.
package struct PathTransmit: Equatable, Sendable {
    package var destination: PathDestination
    package var bytes: [UInt8]
    /// The socket to send by, if by UDP; one that is not open yet is opened for it.
    package var socket: LocalSocket

    package init(
        destination: PathDestination, bytes: [UInt8], socket: LocalSocket = .main
    ) {
        self.destination = destination
        self.bytes = bytes
        self.socket = socket
    }
}

/// How to send a peer's WireGuard packets now: directly, by relay, both at once while the direct path
/// is in doubt, or not at all. "Directly" may be by a peer relay (`Endpoint.isRelayedPath`).
package struct PathRoute: Equatable, Sendable, BitwiseCopyable {
    package var direct: Endpoint?
    package var relayRegion: Int?

    package init(direct: Endpoint? = nil, relayRegion: Int? = nil) {
        self.direct = direct
        self.relayRegion = relayRegion
    }

    package var isUnreachable: Bool { direct == nil && relayRegion == nil }
}

/// What the netmap says about reaching a peer.
package struct PathPeer: Equatable, Sendable {
    package var nodeKey: NodeKey
    /// Zero while the peer has announced none: it is then reached by relay only.
    package var discoKey: DiscoKey
    package var homeRelay: Int?
    package var endpoints: [Endpoint]
    package var relayRoles: PeerRelayRoles

    package init(
        nodeKey: NodeKey, discoKey: DiscoKey, homeRelay: Int?, endpoints: [Endpoint],
        relayRoles: PeerRelayRoles = []
    ) {
        self.nodeKey = nodeKey
        self.discoKey = discoKey
        self.homeRelay = homeRelay
        self.endpoints = endpoints
        self.relayRoles = relayRoles
    }
}

/// One of this node's own endpoints, as announced to the control server and in CallMeMaybe.
package struct OwnEndpoint: Hashable, Sendable {
    package enum Kind: Sendable {
        /// An address of an interface with the port of our socket.
        case local
        /// As a STUN server saw us.
        case reflexive
        /// The gateway forwards it to us, because we asked for that.
        case portMapped
        /// The address STUN servers see with our own port: a guess that a port is forwarded by hand,
        /// made where the NAT varies its mapping.
        case reflexiveAddressLocalPort
    }
    package var endpoint: Endpoint
    package var kind: Kind

    package init(_ endpoint: Endpoint, _ kind: Kind) {
        self.endpoint = endpoint
        self.kind = kind
    }
}

package enum PathEvent: Equatable, Sendable {
    /// The set of our endpoints changed: tell the control server.
    case ownEndpointsChanged([OwnEndpoint])
    /// Our endpoints are older than a NAT mapping is sure to last and somebody is about to be told of
    /// them: ask a STUN server (`NetReportEngine.startQuick`) and report by `setReflexiveEndpoints`.
    case freshEndpointsWanted
    /// Packets for a peer in session may have to go by this region at any moment. Said when the session
    /// begins, when the region changes, and again while it lasts.
    case relayLikely(region: Int)
    /// A peer wants a way through our UDP relay: answer by `sendRelayAllocation`.
    case relayAllocationWanted(peer: Int, clients: [DiscoKey], generation: UInt32)
    /// Traffic to a peer takes another way than before. Nil: by relay.
    case pathChanged(peer: Int, direct: Endpoint?)
    /// A search through a hard NAT has found the peer, for the first time: remember it for
    /// `setHardNATSuccesses`.
    case hardNATPassed(peer: Int)
    /// Answer to `startPing`.
    case pingAnswered(id: UInt64, peer: Int, from: PathDestination, roundTrip: Nanoseconds)
    /// No answer came within five seconds.
    case pingTimedOut(id: UInt64, peer: Int)
}

/// The paths a `startPing` probes.
package enum PingScope: Sendable {
    /// The one that traffic takes now; by relay when there is no direct one.
    case current
    /// Every candidate and the relay: one event for each that answers.
    case all
}

/// What is known about a peer's paths, for `status` and `debug`.
package struct PathStatus: Equatable, Sendable {
    package var nodeKey: NodeKey
    package var discoKey: DiscoKey
    /// The direct path, while it is trusted.
    package var currentEndpoint: Endpoint?
    /// The way through a peer relay, while that is used instead.
    package var peerRelay: PeerRelayAddress?
    package var relayRegion: Int?
    /// Smoothed round trip of the current endpoint or peer relay.
    package var roundTrip: Nanoseconds?
    /// We sent something within the last 45 seconds.
    package var isActive: Bool
    package var lastSentAt: MonotonicInstant?
    package var lastReceivedAt: MonotonicInstant?
    /// Of the same.
    package var mtu: PathMTUStatus?
    /// Why there is none; nil while there is.
    package var obstacle: PathObstacle?
    package var candidates: [CandidateStatus]

    /// A peer of which nothing is known yet.
    package init(nodeKey: NodeKey, discoKey: DiscoKey) {
        self.nodeKey = nodeKey
        self.discoKey = discoKey
        isActive = false
        candidates = []
    }

    package struct CandidateStatus: Equatable, Sendable {
        package var endpoint: Endpoint
        package var sources: CandidateSources
        package var roundTrip: Nanoseconds?
        package var lastPongAt: MonotonicInstant?
        package var pingsSent: Int
        package var pongsReceived: Int
    }
}

/// What is known of the sizes that pass the current direct path.
package struct PathMTUStatus: Equatable, Sendable {
    /// The largest datagram that is believed to pass, as UDP payload.
    package var datagramByteCount: Int
    /// The largest packet of the tunnel that fits into it, when the search has ended below what the
    /// tunnel's interface allows.
    package var innerByteCount: Int?

    package init(datagramByteCount: Int, innerByteCount: Int?) {
        self.datagramByteCount = datagramByteCount
        self.innerByteCount = innerByteCount
    }
}

/// How we came to know an address of a peer.
package struct CandidateSources: OptionSet, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static var netmap: Self { Self(rawValue: 1) }
    package static var callMeMaybe: Self { Self(rawValue: 2) }
    /// A valid ping or authenticated data came from there.
    package static var observed: Self { Self(rawValue: 4) }
    /// We are bound to a peer relay that can carry packets there.
    package static var peerRelay: Self { Self(rawValue: 8) }
}

/// Why an incoming disco message was not acted upon.
package enum PathDropReason: Int, CaseIterable, Sendable {
    case notDisco
    /// No peer has this disco key.
    case unknownSender
    /// The relay names a sender that the disco key does not belong to, or the ping another node.
    case senderMismatch
    case notAuthentic
    case malformed
    /// A message type or version of the future, or one that only relays take.
    case ignoredType
    /// CallMeMaybe and the like that did not come by relay.
    case wrongCarrier
    /// A pong that answers no ping of ours.
    case unknownPing
    case rateLimited
    /// The peer may not use our UDP relay.
    case notPermitted
}

package struct PathCounters: Equatable, Sendable {
    package var pingsSent = 0
    package var pongsSent = 0
    package var callMeMaybesSent = 0
    package var pingsReceived = 0
    package var pongsReceived = 0
    package var callMeMaybesReceived = 0
    /// Messages not sent because the queue to the driver was full or a rate was reached.
    package var transmitsDropped = 0
    package var eventsDropped = 0
    package var dropped: [PathDropReason: Int] = [:]
}
