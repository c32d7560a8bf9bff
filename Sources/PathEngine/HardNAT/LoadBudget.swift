import NetTypes

/// Bounds how much is added to the table of the NAT in our way within `HardNATTiming.loadWindow`.
struct LoadBudget {
    private let limit: Int
    private var spent: [(at: MonotonicInstant, count: Int)] = []

    init(limit: Int) { self.limit = limit }

    func remaining(at now: MonotonicInstant) -> Int {
        limit
            - spent.reduce(0) { sum, entry in
                now - entry.at < HardNATTiming.loadWindow ? sum + entry.count : sum
            }
    }

    /// When something that counts now does so no longer.
    func nextRelief(at now: MonotonicInstant) -> MonotonicInstant? {
        spent.first { now - $0.at < HardNATTiming.loadWindow }
            .map { $0.at + HardNATTiming.loadWindow }
    }

    /// False when nothing is left.
    mutating func take(at now: MonotonicInstant) -> Bool {
        guard remaining(at: now) > 0 else { return false }
        if let last = spent.last, now - last.at < .seconds(1) {
            spent[spent.count - 1].count += 1
        } else {
            spent.removeAll { now - $0.at >= HardNATTiming.loadWindow }
            spent.append((now, 1))
        }
        return true
    }
}
