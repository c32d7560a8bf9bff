internal import CryptoPrimitives
import NetTypes

/// Slows down whoever guesses, without letting a stranger keep somebody out.
///
/// Failures are counted by account and place together, by place, and by account for browsers it was
/// never used in. After some that are free each failure costs twice the time of the one before. A
/// browser that the user has signed in with before counts as a place of its own and is not held up
/// by what others try. Each try is counted as a failure until it turns out to be none, so that many
/// at once gain nothing.
struct Throttle: Sendable {
    enum Key: Hashable {
        /// SHA-256 of the name that was typed, whether there is such a user or not.
        case nameAndPlace(Bytes32, Place)
        case place(Place)
        case name(Bytes32)
        /// Codes behind the right password; only who knows that can use it up.
        case codes(Int64, BrowserID?)
        /// Sign-ins that a provider's answer did not end well: they are still refused, but not all
        /// of them are written into the audit log.
        case provider(Place)
    }

    /// Where a try comes from. IPv6 has so many addresses that only the network counts.
    enum Place: Hashable {
        case address(IPAddress)
        case knownBrowser(BrowserID)
        case unknown
    }

    private struct Bucket {
        var failures = 0
        var last: MonotonicInstant
        /// Orders buckets by their last failure.
        var sequence: UInt64
    }

    struct Rule {
        /// Failures that cost nothing.
        var free: Int
        var firstPause: Nanoseconds
        var longestPause: Nanoseconds
        /// All is forgotten so long after the last failure.
        var memory: Nanoseconds
    }

    static func rule(for key: Key) -> Rule {
        switch key {
        case .nameAndPlace:
            Rule(
                free: 5, firstPause: .seconds(2), longestPause: .minutes(15), memory: .minutes(60))
        case .place:
            Rule(
                free: 100, firstPause: .seconds(1), longestPause: .minutes(5), memory: .minutes(30))
        case .name:
            Rule(
                free: 100, firstPause: .seconds(10), longestPause: .minutes(5),
                memory: .minutes(60))
        case .codes:
            Rule(
                free: 5, firstPause: .seconds(30), longestPause: .minutes(60),
                memory: .minutes(24 * 60))
        case .provider:
            Rule(
                free: 30, firstPause: .seconds(10), longestPause: .minutes(5), memory: .minutes(60))
        }
    }

    private let capacity: Int
    private var buckets: [Key: Bucket] = [:]
    private var sequence: UInt64 = 0

    init(capacity: Int = 8192) { self.capacity = capacity }

    var count: Int { buckets.count }

    static func hash(name: String) -> Bytes32 {
        let bytes = Array(name.utf8)
        return unsafe SHA256.hash(bytes.span.bytes)
    }

    static func place(_ address: IPAddress?) -> Place {
        switch address {
        case nil: .unknown
        case .v4(let address): .address(.v4(address))
        case .v6(let address): .address(.v6(IPv6Address(high: address.high, low: 0)))
        }
    }

    /// Counts a try, or says how long it has to wait.
    mutating func reserve(_ keys: [Key], at now: MonotonicInstant) -> Nanoseconds? {
        var pause = Nanoseconds.zero
        for key in keys {
            guard let bucket = live(key, at: now) else { continue }
            let rule = Self.rule(for: key)
            guard bucket.failures >= rule.free else { continue }
            let doublings = min(bucket.failures - rule.free, 30)
            let whole = min(rule.firstPause * (1 << Int64(doublings)), rule.longestPause)
            pause = max(pause, whole - (now - bucket.last))
        }
        guard pause <= .zero else { return pause }
        for key in keys { count(key, at: now) }
        return nil
    }

    /// The try was none of a guesser: what it counted for is taken back, and its own place is clean.
    mutating func succeed(_ keys: [Key]) {
        for key in keys {
            switch key {
            case .nameAndPlace, .codes: buckets[key] = nil
            case .place, .name, .provider:
                buckets[key]?.failures -= 1
                if buckets[key]?.failures == 0 { buckets[key] = nil }
            }
        }
    }

    private func live(_ key: Key, at now: MonotonicInstant) -> Bucket? {
        buckets[key].flatMap { now - $0.last < Self.rule(for: key).memory ? $0 : nil }
    }

    private mutating func count(_ key: Key, at now: MonotonicInstant) {
        var bucket = live(key, at: now) ?? Bucket(last: now, sequence: 0)
        if buckets[key] == nil, buckets.count >= capacity { makeRoom(at: now) }
        sequence += 1
        bucket.failures += 1
        bucket.last = now
        bucket.sequence = sequence
        buckets[key] = bucket
    }

    /// Forgets what is over, and if that is too little the quarter that was quiet for longest.
    private mutating func makeRoom(at now: MonotonicInstant) {
        buckets = buckets.filter { now - $0.value.last < Self.rule(for: $0.key).memory }
        guard buckets.count >= capacity else { return }
        let limit = buckets.values.map(\.sequence).sorted()[capacity / 4]
        buckets = buckets.filter { $0.value.sequence >= limit }
    }
}
