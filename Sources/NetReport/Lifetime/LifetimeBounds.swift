import NetTypes

/// What tests have shown of how long a NAT keeps a mapping that no packet passes.
struct LifetimeBounds: Equatable {
    /// The longest time for which it was kept, unless one was lost sooner.
    private(set) var kept: Nanoseconds?
    /// The shortest time after which it was lost.
    private(set) var lost: Nanoseconds?
    /// How often it was kept for `kept`.
    private var confirmations = 0
    private(set) var testCount = 0

    /// How long the next test waits; nil when the search is over.
    var nextGap: Nanoseconds? {
        guard testCount < LifetimeTiming.testsMax else { return nil }
        // What is kept for longer than the whole ladder needs no closer look.
        guard let step = LifetimeTiming.ladder.first(where: { $0 > kept ?? .zero }) else {
            return confirmingGap
        }
        guard let lost, lost <= step else { return step }
        let floor = kept ?? LifetimeTiming.floor
        let isClose = lost - floor <= max(LifetimeTiming.resolutionMin, floor / 8)
        return isClose ? confirmingGap : floor + (lost - floor) / 2
    }

    /// A NAT may keep one mapping for longer than another: once is not enough.
    private var confirmingGap: Nanoseconds? {
        confirmations < LifetimeTiming.confirmations ? kept : nil
    }

    mutating func noteKept(for gap: Nanoseconds) {
        testCount += 1
        // Of a NAT that does now this and now that, the shortest time counts.
        if let lost, gap >= lost { return }
        if let kept, gap < kept + LifetimeTiming.tolerance {
            if gap >= kept { confirmations += 1 }
        } else {
            kept = gap
            confirmations = 1
        }
    }

    mutating func noteLost(after gap: Nanoseconds) {
        testCount += 1
        lost = min(lost ?? gap, gap)
        if let kept, kept >= gap {
            self.kept = nil
            confirmations = 0
        }
    }

    /// How long a mapping may rest, with a margin; nil until that is known, and where it is not to be
    /// found out.
    var safeGap: Nanoseconds? {
        guard nextGap == nil, confirmations >= LifetimeTiming.confirmations else { return nil }
        return kept.map { max(LifetimeTiming.floor, $0 * 3 / 4) }
    }
}
