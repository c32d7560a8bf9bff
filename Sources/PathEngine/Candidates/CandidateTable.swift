import NetTypes

/// The candidates of one peer, at most a hundred, in the order they became known.
struct CandidateTable {
    private(set) var candidates: [Candidate] = []

    /// Those that are no ways through peer relays.
    var direct: [Candidate] { candidates.filter { !$0.endpoint.isRelayedPath } }

    func index(of endpoint: Endpoint) -> Int? {
        candidates.firstIndex { $0.endpoint == endpoint }
    }

    subscript(_ endpoint: Endpoint) -> Candidate? {
        index(of: endpoint).map { candidates[$0] }
    }

    /// Whether the peer says that it has this address, with some port.
    func hasOtherPort(of address: IPAddress) -> Bool {
        candidates.contains { $0.endpoint.address == address && $0.sources != .observed }
    }

    /// Changes the candidate if it is there.
    mutating func update(_ endpoint: Endpoint, _ body: (inout Candidate) -> Void) {
        if let index = index(of: endpoint) { body(&candidates[index]) }
    }

    mutating func updateAll(_ body: (inout Candidate) -> Void) {
        for index in candidates.indices { body(&candidates[index]) }
    }

    /// Makes `endpoints` the whole set known from `source`. Candidates known from nowhere else go,
    /// `keeping` excepted. Returns those that are new.
    mutating func replace(
        _ source: CandidateSources, with endpoints: [Endpoint], keeping best: Endpoint?,
        at now: MonotonicInstant
    ) -> [Endpoint] {
        for index in candidates.indices { candidates[index].sources.remove(source) }
        var added: [Endpoint] = []
        for endpoint in endpoints where insert(endpoint, source, keeping: best, at: now) {
            added.append(endpoint)
        }
        candidates.removeAll { $0.sources.isEmpty && $0.endpoint != best }
        return added
    }

    /// A valid packet of the peer came from `endpoint`. Returns whether it is new.
    mutating func observe(
        _ endpoint: Endpoint, keeping best: Endpoint?, at now: MonotonicInstant
    ) -> Bool {
        let isNew = insert(endpoint, .observed, keeping: best, at: now)
        update(endpoint) { $0.lastObservedAt = now }
        return isNew
    }

    /// Adds an address known from `source`, which is none of those that are replaced as a whole.
    mutating func add(
        _ endpoint: Endpoint, _ source: CandidateSources, keeping best: Endpoint?,
        at now: MonotonicInstant
    ) {
        _ = insert(endpoint, source, keeping: best, at: now)
    }

    mutating func remove(_ endpoint: Endpoint) { candidates.removeAll { $0.endpoint == endpoint } }

    /// Forgets addresses that only the peer's packets told us, some time after the last of them.
    mutating func expire(keeping best: Endpoint?, at now: MonotonicInstant) {
        for index in candidates.indices
        where now - candidates[index].lastObservedAt >= PathTiming.observationLifetime {
            candidates[index].sources.remove(.observed)
        }
        candidates.removeAll {
            $0.sources.isEmpty && $0.endpoint != best
                && !$0.isProven(within: PathTiming.standbyLifetime, at: now)
        }
    }

    private mutating func insert(
        _ endpoint: Endpoint, _ source: CandidateSources, keeping best: Endpoint?,
        at now: MonotonicInstant
    ) -> Bool {
        if let index = index(of: endpoint) {
            candidates[index].sources.insert(source)
            return false
        }
        if source == .observed {
            makeRoom(among: .observed, limit: PathTiming.observedMax, keeping: best, at: now)
        }
        if candidates.count >= PathTiming.candidatesMax { expire(keeping: best, at: now) }
        guard candidates.count < PathTiming.candidatesMax else { return false }
        candidates.append(Candidate(endpoint, source))
        return true
    }

    /// Drops the longest unseen unproven candidate known from `source` alone when there are `limit`.
    private mutating func makeRoom(
        among source: CandidateSources, limit: Int, keeping best: Endpoint?,
        at now: MonotonicInstant
    ) {
        let group = candidates.indices.filter { candidates[$0].sources == source }
        guard group.count >= limit else { return }
        let victim = group.filter { candidates[$0].endpoint != best }
            .min { candidates[$0].evictionRank < candidates[$1].evictionRank }
        if let victim { candidates.remove(at: victim) }
    }
}

extension Candidate {
    /// The lowest goes first: never answered before answered, then the longest unseen.
    fileprivate var evictionRank: (UInt64, UInt64) {
        (quality.lastPongAt.nanoseconds, lastObservedAt.nanoseconds)
    }
}

/// Which addresses are worth a ping.
enum CandidateFilter {
    /// Rejects what cannot be a peer's socket, or would make us send to ourselves or to many.
    static func accepts(_ endpoint: Endpoint, _ settings: PathSettings) -> Bool {
        let address = endpoint.address
        guard endpoint.port != 0, !endpoint.isRelayedPath, !address.isUnspecified,
            !address.isMulticast,
            address != .v4(IPv4Address(bits: ~0)),
            settings.acceptsLoopback || !address.isLoopback
        else { return false }
        // A link-local IPv6 address means nothing without its interface.
        if address.isIPv6, address.isLinkLocal { return false }
        return !settings.tunnelPrefixes.contains { $0.contains(address) }
    }
}
