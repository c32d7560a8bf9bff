internal import NetTypes

/// Turns bursts of notices into one look at the network: some time after the last of them, and
/// not too long after the first. Also notices that the machine was suspended.
struct ChangeGate {
    /// An interface that comes up makes a burst of notices of about this length.
    static var quietTime: Nanoseconds { .milliseconds(75) }
    /// Notices that never cease do not put the look off for longer.
    static var waitMax: Nanoseconds { .milliseconds(500) }
    /// The two clocks are read one after the other, and the thread may be interrupted between.
    static var sleepMin: Nanoseconds { .seconds(1) }

    private var firstNotice: MonotonicInstant?
    private var lastNotice: MonotonicInstant?
    /// Boot time less awake time: what was slept since boot.
    private var slept: Nanoseconds?

    mutating func noteChange(at now: MonotonicInstant) {
        firstNotice = firstNotice ?? now
        lastNotice = now
    }

    /// When `takeChange` will say yes.
    var nextDeadline: MonotonicInstant? {
        guard let firstNotice, let lastNotice else { return nil }
        return min(lastNotice + Self.quietTime, firstNotice + Self.waitMax)
    }

    /// Whether it is time to look, once for each burst.
    mutating func takeChange(at now: MonotonicInstant) -> Bool {
        guard let deadline = nextDeadline, deadline <= now else { return false }
        firstNotice = nil
        lastNotice = nil
        return true
    }

    /// How long the machine was suspended since the last call, if it was. `awake` is a clock that
    /// stands still meanwhile, `now` one that does not.
    mutating func takeSuspension(at now: MonotonicInstant, awake: MonotonicInstant) -> Nanoseconds?
    {
        let total = now - awake
        defer { slept = total }
        guard let slept, total - slept >= Self.sleepMin else { return nil }
        return total - slept
    }
}
