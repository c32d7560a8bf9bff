package import NetTypes

/// What one round of measuring found out about the network we are in.
package struct NetReport: Equatable, Sendable {
    package var finishedAt: MonotonicInstant
    /// Every region was asked, not just the nearest.
    package var isFull: Bool
    /// Some STUN answer came.
    package var hasUDP = false
    /// STUN servers were asked, and none answered: UDP is blocked, or they are gone.
    package var isSilent = false
    package var hasIPv4 = false
    package var hasIPv6 = false
    /// Whether the NAT gives each destination another mapping ("hard"); nil: not known.
    package var mappingVariesByDestination: Bool?
    /// How the NAT in our way treats IPv4; what could not be found out is nil. A mapping that was
    /// seen to vary, but not by what, counts as one by address and port.
    package var nat = NATBehavior()
    /// What `nat` was concluded from; nil when the NAT was not looked into.
    package var evidence: BehaviorEvidence?
    /// As STUN servers saw us: the first answer's endpoint, then others seen at least twice.
    package var globalIPv4: [Endpoint] = []
    package var globalIPv6: [Endpoint] = []
    /// How long a NAT mapping may rest and still be there, with a margin; nil until it has been learned.
    package var mappingLifetime: Nanoseconds?
    /// Sorted by region.
    package var latencies: [RegionLatency] = []
    package var homeRelay: Int?

    package struct RegionLatency: Equatable, Sendable {
        package var region: Int
        package var ipv4: Nanoseconds?
        package var ipv6: Nanoseconds?
        /// Measured through the relay itself, where UDP is blocked.
        package var relay: Nanoseconds?

        package var best: Nanoseconds? { [ipv4, ipv6, relay].compactMap { $0 }.min() }
    }

    /// The endpoints to announce, IPv4 first.
    package var reflexiveEndpoints: [Endpoint] { globalIPv4 + globalIPv6 }

    package func latency(of region: Int) -> Nanoseconds? {
        latencies.first { $0.region == region }?.best
    }
}

/// A STUN request to send.
package struct NetReportTransmit: Equatable, Sendable {
    package var destination: Endpoint
    package var bytes: [UInt8]
    /// Nil: from the node's own socket, so that the mapping seen is that of its data. Otherwise from
    /// the probe socket of this number.
    package var probeSocket: Int?
}

package enum NetReportEvent: Equatable, Sendable {
    case report(NetReport)
    /// UDP seems blocked: measure these regions through HTTPS or the relay connection, tell
    /// `noteRelayLatency` of each, and the report will follow.
    case relayLatencyWanted(regions: [Int])
    /// Bind so many IPv4 sockets to ports of the kernel's choice and say so with
    /// `handleProbeSockets`; what comes on them is for `handleProbeDatagram`.
    case probeSocketsWanted(Int)
    /// They may be closed.
    case probeSocketsDone
    /// What is known of the lifetimes of mappings has changed: keep it for the next run.
    case lifetimesLearned([LearnedLifetime])
}
