import NetTypes

/// Allows `burst` things at once and one more in each `interval`.
struct TokenBucket {
    private let interval: Nanoseconds
    private let burst: Int64
    /// When the bucket would be full; earlier than now means that it is.
    private var fullAt = MonotonicInstant.never

    init(burst: Int, interval: Nanoseconds) {
        self.burst = Int64(burst)
        self.interval = interval
    }

    mutating func take(at now: MonotonicInstant) -> Bool {
        let from = max(fullAt, now)
        guard from - now <= interval * (burst - 1) else { return false }
        fullAt = from + interval
        return true
    }
}
