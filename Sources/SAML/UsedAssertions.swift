internal import NetTypes

/// IDs of assertions that signed somebody in, as long as these could be sent again. Bounded: when it is full
/// of such, no more are taken.
struct UsedAssertions: Sendable {
    let capacity: Int
    private var ends: [String: Timestamp] = [:]

    init(capacity: Int) { self.capacity = capacity }

    func contains(_ id: String) -> Bool { ends[id] != nil }

    /// False when there is no room.
    mutating func insert(_ id: String, until end: Timestamp, at now: Timestamp) -> Bool {
        if ends.count >= capacity { ends = ends.filter { $0.value > now } }
        guard ends.count < capacity else { return false }
        // The request that it answered is gone long before: no provider can make this grow old here.
        ends[id] = min(end, now + .minutes(24 * 60))
        return true
    }
}
