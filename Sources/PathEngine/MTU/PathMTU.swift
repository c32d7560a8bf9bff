import NetTypes

/// The largest datagram that passes one path, found and watched by padded pings (RFC 8899,
/// packetization layer path MTU discovery). Sizes are bytes of UDP payload.
///
/// A size is *probed* by a ping padded to it. Three lost in a row, while small ones are answered,
/// mean that it does not pass: above `passes` that narrows the search, at or below it the
/// path has become a *black hole* for such packets: what passes falls to the floor, until a ping of
/// another size is answered, the base first (RFC 8899 §5.2: the base is confirmed again). Losses
/// while no ping is answered say nothing about sizes.
struct PathMTU {
    /// The largest size that is believed to pass.
    private(set) var passes = PathTiming.datagramBase
    /// The smallest size seen not to pass.
    private(set) var fails: Int?
    /// A size that passed is being probed again, and the first such ping was lost.
    private(set) var isDoubted = false
    private(set) var probe: Probe?
    /// When to go on searching for a larger size.
    private(set) var searchAt: MonotonicInstant?

    struct Probe {
        let byteCount: Int
        var sentAt: MonotonicInstant
        var lost = 0
    }

    /// The largest inner packet, when the search has ended below what was wanted: WireGuard adds a
    /// header and a tag, and pads to 16 bytes.
    var innerByteCount: Int? {
        fails != nil && isSettled ? (passes - 32) / 16 * 16 : nil
    }

    var status: PathMTUStatus {
        PathMTUStatus(datagramByteCount: passes, innerByteCount: innerByteCount)
    }

    private var isSettled: Bool {
        guard let fails else { return true }
        return fails - passes <= PathTiming.datagramResolution
    }

    /// Starts or goes on with the search for sizes up to `ceiling`.
    mutating func search(to ceiling: Int, at now: MonotonicInstant) {
        if passes < ceiling, probe == nil, searchAt == nil { searchAt = now }
    }

    /// The size to search with next.
    func nextSize(to ceiling: Int) -> Int {
        guard let fails else { return ceiling }
        if passes < PathTiming.datagramBase, PathTiming.datagramBase < fails {
            return PathTiming.datagramBase
        }
        return (passes + fails) / 2
    }

    /// A ping of this size goes out to find out whether it passes.
    mutating func noteProbe(_ byteCount: Int, at now: MonotonicInstant) {
        let lost = probe.map { $0.byteCount == byteCount ? $0.lost : 0 } ?? 0
        probe = Probe(byteCount: byteCount, sentAt: now, lost: lost)
        if byteCount > passes { searchAt = nil }
    }

    /// A ping of this size was answered.
    mutating func noteAnswer(_ byteCount: Int, ceiling: Int, at now: MonotonicInstant) {
        passes = max(passes, byteCount)
        if let fails, byteCount >= fails { self.fails = nil }
        if let probe, probe.byteCount <= byteCount {
            self.probe = nil
            isDoubted = false
            scheduleSearch(to: ceiling, at: now)
        }
    }

    /// The ping that probes was not answered in time, though the path delivers other packets.
    mutating func noteLoss(ceiling: Int, at now: MonotonicInstant) {
        guard var lost = probe else { return }
        lost.lost += 1
        probe = lost
        let isBlackHole = lost.byteCount <= passes
        if isBlackHole { isDoubted = true }
        guard lost.lost >= PathTiming.sizeProbesMax else { return }
        fails = min(fails ?? lost.byteCount, lost.byteCount)
        if isBlackHole { passes = PathTiming.datagramFloor }
        probe = nil
        isDoubted = false
        scheduleSearch(to: ceiling, at: now)
    }

    /// The size that is being probed may not pass any more.
    mutating func doubt() { isDoubted = true }

    /// The time has come to see whether more passes than last time.
    mutating func raise() { if isSettled { fails = nil } }

    private mutating func scheduleSearch(to ceiling: Int, at now: MonotonicInstant) {
        if fails == nil, passes >= ceiling {
            searchAt = nil
        } else {
            searchAt = isSettled && fails != nil ? now + PathTiming.sizeRaiseInterval : now
        }
    }
}

/// The large datagrams sent on the selected path since their size was last checked.
struct LargeDatagrams {
    /// The largest of them.
    private(set) var byteCount = 0
    private(set) var count = 0
    /// No check before this.
    private(set) var nextCheckAt = MonotonicInstant.never

    /// Returns whether a check has become due by these.
    @inline(__always)
    mutating func note(_ size: Int, times: Int) -> Bool {
        if size > byteCount { byteCount = size }
        let before = count
        count &+= times
        return before < PathTiming.largeDatagramsPerCheck
            && count >= PathTiming.largeDatagramsPerCheck
    }

    /// Those sent so far are being checked.
    mutating func noteCheck(at now: MonotonicInstant) {
        byteCount = 0
        count = 0
        nextCheckAt = now + PathTiming.sizeCheckGap
    }

    var checkAt: MonotonicInstant? {
        count >= PathTiming.largeDatagramsPerCheck ? nextCheckAt : nil
    }
}
