internal import NetTypes

/// The latest initiations of keys that are no peer's. The coordination server tells two nodes of
/// each other at slightly different times; without this the slower one costs a five-second retry.
struct ParkedInitiations {
    private struct Entry {
        var key: NodeKey
        var pending: PendingHandshake
        var parkedAt: MonotonicInstant
    }
    /// The initiator sends another one after this anyway.
    private static let lifetime = Nanoseconds.seconds(5)
    private static let limit = 16

    private var entries: [Entry] = []

    var count: Int { entries.count }

    mutating func park(_ pending: PendingHandshake, from key: NodeKey, at now: MonotonicInstant) {
        entries.removeAll { $0.key == key || now - $0.parkedAt >= Self.lifetime }
        if entries.count == Self.limit { entries.removeFirst() }
        entries.append(Entry(key: key, pending: pending, parkedAt: now))
    }

    /// The initiation of a key that has just become a peer's.
    mutating func take(_ key: NodeKey, at now: MonotonicInstant) -> PendingHandshake? {
        guard let index = entries.firstIndex(where: { $0.key == key }) else { return nil }
        let entry = entries.remove(at: index)
        return now - entry.parkedAt < Self.lifetime ? entry.pending : nil
    }

    mutating func removeAll() { entries = [] }
}
