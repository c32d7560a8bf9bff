package import Disco
package import NetTypes

/// A way through another node's UDP relay, as it is shown to people.
package struct PeerRelayAddress: Hashable, Sendable, CustomStringConvertible {
    package var server: Endpoint
    /// 24 bits; tells the relay which pair it is.
    package var virtualNetwork: UInt32

    package init(server: Endpoint, virtualNetwork: UInt32) {
        self.server = server
        self.virtualNetwork = virtualNetwork
    }

    /// `192.0.2.1:7777:vni:12`.
    package var description: String { "\(server):vni:\(virtualNetwork)" }

    /// What stands in front of a WireGuard packet on this way.
    package var dataHeader: GeneveHeader {
        GeneveHeader(content: .wireGuard, virtualNetwork: virtualNetwork, isControl: false)
    }
}

/// A peer relay's path has no address of its own: the engine speaks of it by an endpoint of a range
/// that leads nowhere (RFC 6666), so that it is measured, doubted and chosen like any other.
/// `PathEngine.peerRelay(at:)` says what stands behind one.
extension Endpoint {
    private static var relayedHigh: UInt64 { 0x0100 << 48 }

    init(relayedPath number: UInt32) {
        self.init(.v6(IPv6Address(high: Self.relayedHigh, low: UInt64(number))), port: 1)
    }

    /// Whether it stands for a way through a peer relay.
    package var isRelayedPath: Bool {
        if case .v6(let address) = address { address.high == Self.relayedHigh } else { false }
    }
}

/// Every length of time and every limit about peer relays.
enum PeerRelayTiming {
    /// A direct path gets this long before relays are asked.
    static var grace: Nanoseconds { .milliseconds(500) }
    /// Relays are asked for a way to one peer no more often than this, and after one was found that
    /// works no more, no more often than the second.
    static var searchGap: Nanoseconds { .seconds(30) }
    static var renewedSearchGap: Nanoseconds { .seconds(5) }
    /// An allocation is asked for again after this, once, and given up after that.
    static var allocationRetry: Nanoseconds { .seconds(3) }
    static var allocationTimeout: Nanoseconds { .seconds(10) }
    /// A request to bind, and the answer to the challenge until a packet comes through, are sent again
    /// after each of these gaps.
    static let retransmitGaps: [Nanoseconds] = [
        .milliseconds(100), .milliseconds(200), .milliseconds(400), .milliseconds(800),
        .milliseconds(1_500),
    ]
    /// What remains of a handshake whose last message has been sent.
    static var handshakeTail: Nanoseconds { .seconds(1) }
    /// A path is bound anew no more often than this.
    static var rebindGap: Nanoseconds { .seconds(2) }
    /// A relay forgets a pair this long after its last packet.
    static var pathLifetime: Nanoseconds { .minutes(5) }
    static var sweepInterval: Nanoseconds { .seconds(60) }

    // Limits
    /// Relays asked for one peer.
    static var serversMax: Int { 4 }
    /// Addresses of one relay that are tried.
    static var addressesMax: Int { 8 }
    static var allocationsMax: Int { 256 }
    static var handshakesMax: Int { 256 }
    static var pathsMax: Int { 4_096 }
}
