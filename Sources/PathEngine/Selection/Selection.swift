import NetTypes

/// The direct path of a peer that carries its traffic, and how much it is believed.
struct Selection {
    private(set) var endpoint: Endpoint?
    private(set) var trustedUntil = MonotonicInstant.never
    private(set) var lastPongAt = MonotonicInstant.never
    /// Runs while the path is in doubt.
    private(set) var verification: Verification?
    var heartbeat = Heartbeat()
    /// Multiplies the patience with which answers are awaited, up to half a second. Doubles each time that a doubt proves
    /// wrong without data in return, as on a one-way stream; data in return resets it.
    var calm: Int64 = 1

    struct Verification {
        let startedAt: MonotonicInstant
        var sent = 0
        var nextAt: MonotonicInstant
        /// The relay carries a copy of everything.
        var isFailing = false
    }

    struct Heartbeat {
        var nextAt = MonotonicInstant.never
        /// When the last one went out, until it is answered.
        var awaitedSince: MonotonicInstant?
    }

    /// Whether the path carries traffic alone.
    func isTrusted(at now: MonotonicInstant) -> Bool { endpoint != nil && now <= trustedUntil }

    mutating func select(_ endpoint: Endpoint, at now: MonotonicInstant) {
        self.endpoint = endpoint
        calm = 1
        prove(at: now)
    }

    /// A pong came on the path.
    mutating func prove(at now: MonotonicInstant) {
        trustedUntil = now + PathTiming.trustDuration
        lastPongAt = now
        verification = nil
        heartbeat = Heartbeat(nextAt: now + PathTiming.heartbeatInterval, awaitedSince: nil)
    }

    /// Authenticated data came on the path.
    mutating func noteData(at now: MonotonicInstant) {
        calm = 1
        if let verification, verification.isFailing { return }
        trustedUntil = now + PathTiming.trustDuration
    }

    mutating func beginVerification(at now: MonotonicInstant) {
        guard verification == nil else { return }
        verification = Verification(startedAt: now, nextAt: now)
    }

    mutating func notePing(at now: MonotonicInstant) {
        verification?.sent += 1
        if let sent = verification?.sent {
            verification?.nextAt = now + PathTiming.verificationGap(after: sent)
        }
    }

    mutating func fail() {
        verification?.isFailing = true
        trustedUntil = .never
    }

    mutating func distrust() { trustedUntil = .never }

    mutating func clear() { self = Selection() }
}
