import NetTypes

/// The direct path of a peer that carries its traffic, and how much it is believed.
struct Selection {
    private(set) var endpoint: Endpoint?
    private(set) var trustedUntil = MonotonicInstant.never
    private(set) var lastPongAt = MonotonicInstant.never
    /// The relay carries a copy though the path is trusted.
    private(set) var isCopying = false
    /// Runs while the path is in doubt.
    private(set) var verification: Verification?
    var heartbeat = Heartbeat()
    /// Multiplies the time that answers may take. Doubles each time that a doubt proves wrong
    /// without data in return, as on a one-way stream; a quick answer resets it.
    var calm: Int64 = 1
    /// How long an answer of the path may take, as measured.
    private(set) var patience = PathTiming.patienceMax
    /// How long the second ping of a verification waits for the answer to the first.
    private(set) var retryGap = PathTiming.retryGapMax

    /// The largest datagram that may go by the direct path alone.
    private(set) var passes = PathTiming.datagramBase
    /// The largest that passes unless the path has become a black hole, which is being found out.
    private(set) var passesIfNotDoubted = PathTiming.datagramBase
    private(set) var innerByteCount: Int?
    var large = LargeDatagrams()

    struct Verification {
        let startedAt: MonotonicInstant
        var sent = 0
        var nextAt: MonotonicInstant
        /// The relay carries a copy of everything.
        var isFailing = false
        /// When the path fails without an answer.
        let failsAt: MonotonicInstant
    }

    struct Heartbeat {
        var nextAt = MonotonicInstant.never
        /// When the last one went out, until it is answered.
        var awaitedSince: MonotonicInstant?
    }

    /// Whether the path carries traffic alone.
    func isTrusted(at now: MonotonicInstant) -> Bool { endpoint != nil && now <= trustedUntil }

    mutating func select(_ candidate: Candidate, at now: MonotonicInstant) {
        endpoint = candidate.endpoint
        calm = 1
        large = LargeDatagrams()
        adopt(candidate.mtu)
        adopt(candidate.quality)
        prove(at: now)
    }

    mutating func adopt(_ mtu: PathMTU) {
        innerByteCount = mtu.innerByteCount
        passesIfNotDoubted = mtu.passes
        passes = mtu.isDoubted ? PathTiming.largeDatagramMin : mtu.passes
    }

    mutating func adopt(_ quality: PathQuality) {
        patience = quality.patience
        retryGap = quality.retryGap
    }

    /// A pong came on the path.
    mutating func prove(at now: MonotonicInstant) {
        trustedUntil = now + PathTiming.trustDuration
        lastPongAt = now
        verification = nil
        isCopying = false
        heartbeat = Heartbeat(nextAt: now + PathTiming.heartbeatInterval, awaitedSince: nil)
    }

    /// Authenticated data came on the path.
    mutating func noteData(at now: MonotonicInstant) {
        if let verification, verification.isFailing { return }
        trustedUntil = now + PathTiming.trustDuration
    }

    /// `origin` is when the first packet was sent that should have been answered.
    mutating func beginVerification(at now: MonotonicInstant, origin: MonotonicInstant? = nil) {
        guard verification == nil else { return }
        // Time for the answers to two pings, as long as that keeps within the budget.
        let budget = max(now + patience, (origin ?? now) + PathTiming.failureBudget)
        verification = Verification(
            startedAt: now, nextAt: now, failsAt: min(now + retryGap + patience, budget))
    }

    /// The peer doubts the path: it is verified, and the relay carries a copy until then.
    mutating func share(doubtAt now: MonotonicInstant) {
        beginVerification(at: now)
        isCopying = true
    }

    mutating func notePing(at now: MonotonicInstant) {
        verification?.sent += 1
        if let sent = verification?.sent {
            verification?.nextAt =
                now + (sent == 1 ? retryGap : PathTiming.verificationGap(after: sent))
        }
    }

    mutating func fail() {
        verification?.isFailing = true
        trustedUntil = .never
    }

    mutating func distrust() { trustedUntil = .never }

    mutating func clear() { self = Selection() }
}
