import ControlMessages
import NetTypes

/// Who is connected, and what happens when somebody stays away.
struct PresenceTable: Sendable {
    private struct Entry {
        /// Map sessions that are open.
        var sessionCount = 0
        /// When a node without sessions counts as offline.
        var graceEnd: MonotonicInstant?
    }

    private var entries: [NodeID: Entry] = [:]
    /// When an ephemeral node that is away is removed.
    private var removals: [NodeID: MonotonicInstant] = [:]
    /// No later than the first of all deadlines: waking too early is harmless.
    private(set) var nextDeadline: MonotonicInstant?

    func isOnline(_ id: NodeID) -> Bool { entries[id] != nil }

    /// Whether the node was offline before.
    mutating func sessionBegan(_ id: NodeID) -> Bool {
        let wasOffline = entries[id] == nil
        entries[id, default: Entry()].sessionCount += 1
        entries[id]?.graceEnd = nil
        removals[id] = nil
        return wasOffline
    }

    mutating func sessionEnded(_ id: NodeID, graceEnds: MonotonicInstant) {
        guard var entry = entries[id], entry.sessionCount > 0 else { return }
        entry.sessionCount -= 1
        if entry.sessionCount == 0 {
            entry.graceEnd = graceEnds
            nextDeadline = earliest(nextDeadline, graceEnds)
        }
        entries[id] = entry
    }

    mutating func scheduleRemoval(of id: NodeID, at deadline: MonotonicInstant) {
        guard entries[id] == nil else { return }
        removals[id] = deadline
        nextDeadline = earliest(nextDeadline, deadline)
    }

    mutating func remove(_ id: NodeID) {
        entries[id] = nil
        removals[id] = nil
    }

    /// Takes out and returns the nodes that are offline from now on, sorted.
    mutating func expireGrace(at now: MonotonicInstant) -> [NodeID] {
        guard let nextDeadline, nextDeadline <= now else { return [] }
        let due = entries.filter { _, entry in entry.graceEnd.map { $0 <= now } ?? false }
        for id in due.keys { entries[id] = nil }
        return due.keys.sorted()
    }

    /// Takes out and returns the ephemeral nodes whose time is up, sorted. Call it last: it also
    /// finds the next deadline.
    mutating func expireRemovals(at now: MonotonicInstant) -> [NodeID] {
        guard let deadline = nextDeadline, deadline <= now else { return [] }
        let due = removals.filter { $0.value <= now }
        for id in due.keys { removals[id] = nil }
        nextDeadline = earliest(entries.values.compactMap(\.graceEnd).min(), removals.values.min())
        return due.keys.sorted()
    }
}
