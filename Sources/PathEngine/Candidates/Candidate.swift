import NetTypes

/// An address at which a peer may be reached, and what probing it has shown.
struct Candidate {
    let endpoint: Endpoint
    var sources: CandidateSources
    var lastObservedAt = MonotonicInstant.never
    var probe = ProbeSchedule()
    var quality = PathQuality()
    var mtu = PathMTU()

    init(_ endpoint: Endpoint, _ sources: CandidateSources) {
        self.endpoint = endpoint
        self.sources = sources
    }

    /// A pong came within `duration`.
    func isProven(within duration: Nanoseconds, at now: MonotonicInstant) -> Bool {
        quality.lastPongAt != .never && now - quality.lastPongAt < duration
    }
}

/// When a candidate is to be pinged next.
struct ProbeSchedule {
    private(set) var nextAt: MonotonicInstant?
    private(set) var lastSentAt = MonotonicInstant.never
    /// Index into the retransmit gaps; past the end when the round has no more.
    private var stage = 0

    /// Pings at once, or as soon as the least gap allows, and then by the retransmit gaps.
    mutating func start(at now: MonotonicInstant) { start(stage: 0, at: now) }

    /// As `start`, with fewer pings: at 0, 200 and 600 ms.
    mutating func startSparingly(at now: MonotonicInstant) {
        start(stage: PathTiming.retransmitGaps.count - 2, at: now)
    }

    /// One ping without retransmits, unless a round is under way, which is as good.
    mutating func pingOnce(at now: MonotonicInstant) {
        if nextAt == nil {
            start(stage: PathTiming.retransmitGaps.count, at: now)
        } else {
            nextAt = min(nextAt ?? now, soonest(from: now))
        }
    }

    mutating func stop() { nextAt = nil }

    mutating func notePing(at now: MonotonicInstant) {
        lastSentAt = now
        guard nextAt != nil else { return }
        nextAt =
            stage < PathTiming.retransmitGaps.count ? now + PathTiming.retransmitGaps[stage] : nil
        stage += 1
    }

    private mutating func start(stage: Int, at now: MonotonicInstant) {
        self.stage = stage
        nextAt = soonest(from: now)
    }

    private func soonest(from now: MonotonicInstant) -> MonotonicInstant {
        lastSentAt == .never ? now : max(now, lastSentAt + PathTiming.candidatePingGap)
    }
}

/// Measured quality of one path: round trip smoothed as in RFC 6298 §2, but for a calmer first
/// guess of how much it varies.
struct PathQuality {
    private(set) var roundTrip: Nanoseconds?
    private(set) var variation = Nanoseconds.zero
    private(set) var lastPongAt = MonotonicInstant.never
    var pingsSent = 0
    private(set) var pongsReceived = 0
    /// Pings since the last pong.
    private(set) var unanswered = 0

    mutating func notePing() {
        pingsSent += 1
        unanswered += 1
    }

    mutating func notePong(roundTrip sample: Nanoseconds, at now: MonotonicInstant) {
        pongsReceived += 1
        unanswered = 0
        lastPongAt = now
        guard let smoothed = roundTrip else {
            roundTrip = sample
            variation = sample / 8
            return
        }
        let difference = Nanoseconds(count: abs(smoothed.count - sample.count))
        variation = (variation * 3 + difference) / 4
        roundTrip = (smoothed * 7 + sample) / 8
    }

    /// After a change of the network no old pong says anything.
    mutating func forgetProof() {
        lastPongAt = .never
        roundTrip = nil
        variation = .zero
        unanswered = 0
    }

    /// How long to wait for a first answer before asking again.
    var retryGap: Nanoseconds {
        guard let roundTrip else { return PathTiming.retryGapMax }
        return min(
            max(roundTrip + variation * 2, PathTiming.candidatePingGap), PathTiming.retryGapMax)
    }

    /// How long an answer on this path may reasonably take.
    var patience: Nanoseconds {
        guard let roundTrip else { return PathTiming.patienceMax }
        let expected = roundTrip + variation * 4
        return min(max(expected, PathTiming.patienceMin), PathTiming.patienceMax)
    }
}
