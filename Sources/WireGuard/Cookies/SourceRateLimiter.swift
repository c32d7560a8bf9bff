internal import NetTypes
internal import WireGuardMessages

/// A token bucket for each source of handshake messages: 20 a second, 5 at once. Asked only under
/// load and after a cookie has proven the address, so that nobody can use up another's tokens.
struct SourceRateLimiter {
    private struct Bucket {
        /// In nanoseconds of credit.
        var credit: Int64
        var updatedAt: MonotonicInstant
    }
    private static let cost = 1_000_000_000 / WireGuardConstants.initiationsPerSecond
    private static let maximum = cost * WireGuardConstants.initiationBurst
    /// More sources at once are refused until old ones are forgotten.
    private static let sourceLimit = 8192

    private var buckets: [RateKey: Bucket] = [:]
    private var collectedAt: MonotonicInstant?

    var sourceCount: Int { buckets.count }

    mutating func allows(_ source: PacketSource, at now: MonotonicInstant) -> Bool {
        collectGarbage(at: now)
        let key = source.rateKey
        guard var bucket = buckets[key] else {
            guard buckets.count < Self.sourceLimit else { return false }
            buckets[key] = Bucket(credit: Self.maximum - Self.cost, updatedAt: now)
            return true
        }
        bucket.credit = min(Self.maximum, bucket.credit + max(0, (now - bucket.updatedAt).count))
        bucket.updatedAt = now
        let isAllowed = bucket.credit >= Self.cost
        if isAllowed { bucket.credit -= Self.cost }
        buckets[key] = bucket
        return isAllowed
    }

    /// Once a second forgets the sources whose buckets have been full for long.
    private mutating func collectGarbage(at now: MonotonicInstant) {
        if let collectedAt, now - collectedAt < .seconds(1) { return }
        collectedAt = now
        buckets = buckets.filter { now - $0.value.updatedAt < .seconds(1) }
    }
}
