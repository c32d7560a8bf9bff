import NetTypes

/// Keeps the audit log from filling up with what a refused machine tries again and again: one entry an
/// hour for each machine and reason.
struct CertificateRefusals: Sendable {
    private struct Entry {
        var machine: MachineKey
        var reason: String
        var time: MonotonicInstant
    }

    private static var pause: Nanoseconds { .minutes(60) }
    private static var capacity: Int { 256 }

    /// Oldest first.
    private var entries: [Entry] = []

    /// Whether a refusal is to be logged. With very many machines the oldest is forgotten.
    mutating func isNews(
        _ reason: String, of machine: MachineKey, at now: MonotonicInstant
    ) -> Bool {
        entries.removeAll { now - $0.time >= Self.pause }
        guard !entries.contains(where: { $0.machine == machine && $0.reason == reason }) else {
            return false
        }
        if entries.count >= Self.capacity { entries.removeFirst() }
        entries.append(Entry(machine: machine, reason: reason, time: now))
        return true
    }
}
