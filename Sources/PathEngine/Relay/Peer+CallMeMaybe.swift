import NetTypes

/// What we told a peer about our endpoints, and when.
struct Signalling {
    private(set) var lastSentAt = MonotonicInstant.never
    /// The generation of our endpoints that the peer was told.
    private var sentGeneration = -1
    /// One is to be sent as soon as the rate allows.
    var isPending = false
    /// What is pending says something new.
    private var hasNews = false
    /// Limits how often the peer's own make us ping.
    var received = TokenBucket(burst: 10, interval: .seconds(1))

    mutating func request(generation: Int) {
        isPending = true
        if generation != sentGeneration { hasNews = true }
    }

    mutating func noteSent(generation: Int, at now: MonotonicInstant) {
        lastSentAt = now
        sentGeneration = generation
        isPending = false
        hasNews = false
    }

    /// Whether the peer still has to hear what our endpoints are now.
    func isOutdated(generation: Int) -> Bool { generation != sentGeneration }

    var nextAt: MonotonicInstant? {
        guard isPending else { return nil }
        guard lastSentAt != .never else { return .never }
        return lastSentAt
            + (hasNews ? PathTiming.changedCallMeMaybeGap : PathTiming.callMeMaybeGap)
    }

    /// After a change of the network the peer is told again, whatever it knows.
    mutating func forget() { sentGeneration = -1 }
}

extension Peer {
    mutating func serviceCallMeMaybe(
        at now: MonotonicInstant, into actions: inout [PeerAction]
    ) {
        guard let due = callMeMaybeDeadline, due <= now else { return }
        signalling.isPending = false
        actions.append(.callMeMaybe)
    }

    var callMeMaybeDeadline: MonotonicInstant? {
        canProbe && relayRegion != nil ? signalling.nextAt : nil
    }
}
