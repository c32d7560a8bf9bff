package import NetTypes

/// How long allocations live and how many there may be. The lifetimes are those of official nodes.
package struct PeerRelayLimits: Equatable, Sendable {
    /// Both clients must have bound within this time.
    package var bindLifetime: Nanoseconds
    /// After that, how long an allocation lives since the last packet of either client.
    package var steadyStateLifetime: Nanoseconds
    package var allocationsMax: Int
    /// Allocations that one node may have asked for.
    package var allocationsPerClientMax: Int

    package init(
        bindLifetime: Nanoseconds = .seconds(30),
        steadyStateLifetime: Nanoseconds = .minutes(5),
        allocationsMax: Int = 16_384, allocationsPerClientMax: Int = 512
    ) {
        self.bindLifetime = bindLifetime
        self.steadyStateLifetime = steadyStateLifetime
        self.allocationsMax = allocationsMax
        self.allocationsPerClientMax = allocationsPerClientMax
    }
}

/// Why an allocation was refused.
package enum PeerRelayRefusal: Error, Equatable, Sendable {
    /// The one who asks is neither of the two, or the two are one, or one of them is this server.
    case badClients
    /// No address is known at which clients could reach the server.
    case noEndpoints
    /// The one who asks has as many as it may.
    case clientFull
    case serverFull
}

/// What to do with a datagram that came to the relay's socket.
package enum PeerRelayVerdict: Equatable, Sendable {
    /// Send it on as it is.
    case forward(to: Endpoint)
    /// Send this back to where it came from. Never longer than what came.
    case reply([UInt8])
    /// A client is bound; there is nothing to send.
    case bound
    case drop(PeerRelayDropReason)
}

package enum PeerRelayDropReason: Int, CaseIterable, Sendable {
    case notGeneve
    /// No allocation has this virtual network.
    case unknownNetwork
    /// Data for an allocation to which not both clients are bound.
    case notBound
    /// Data from an address that neither client is bound to.
    case unknownSource
    /// A message for the relay by someone who is neither client, or that cannot be opened.
    case notAuthentic
    /// A message for the relay that is none, or that contradicts its allocation.
    case malformed
    /// An answer to no challenge of ours, or to one for another address or of another time.
    case badChallenge
    case rateLimited
}

package struct PeerRelayCounters: Equatable, Sendable {
    package var allocated = 0
    package var refused = 0
    package var expired = 0
    package var challenges = 0
    package var binds = 0
    package var forwardedPackets = 0
    package var forwardedBytes = 0
    package var dropped: [PeerRelayDropReason: Int] = [:]
}
