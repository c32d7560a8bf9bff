internal import NetTypes
internal import WireGuardMessages

/// Civil time, carried on from the last wake-up by the monotonic clock.
struct CivilClock {
    private var civil = Timestamp(unixSeconds: 0)
    private var readAt = MonotonicInstant(nanoseconds: 0)

    mutating func set(_ civil: Timestamp, at now: MonotonicInstant) {
        self.civil = civil
        readAt = now
    }

    func timestamp(at instant: MonotonicInstant) -> Timestamp { civil + (instant - readAt) }

    /// A stamp for an initiation: now, or where the clock was set back, just after the last one.
    func stamp(at now: MonotonicInstant, after last: TAI64N?) -> TAI64N {
        let stamp = TAI64N(timestamp(at: now))
        guard let last, stamp <= last else { return stamp }
        return last.successor
    }
}
