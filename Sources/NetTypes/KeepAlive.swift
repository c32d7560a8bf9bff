/// When a server tells a node that it is still there.
///
/// The node's key decides at which moments of a clock that is. The control channel and the relay
/// connection of one server therefore speak at the same moments and wake the node once, and nodes
/// are spread evenly over the period. The moments are whole seconds, so that a server may look at
/// its clock once a second.
public enum KeepAlive {
    /// Official clients give up a control channel or a relay that says nothing for 120 s. What is
    /// lost on the way must come in the rest of that time.
    @inlinable public static var period: Nanoseconds { .seconds(90) }

    /// The first moment for the node after `now`; not the very next when that is less than a sixth
    /// of the period away.
    public static func next(
        for node: NodeKey, after now: MonotonicInstant, period: Nanoseconds = period
    ) -> MonotonicInstant {
        precondition(period.count > 0, "a period is longer than nothing")
        let length = UInt64(period.count)
        let words = node.bytes.words
        let step = UInt64(Nanoseconds.seconds(1).count)
        var offset = (words.0 ^ words.1 ^ words.2 ^ words.3) % length
        // Tests may ask for a period of less.
        if length > step { offset -= offset % step }
        let from = (now + period / 6).nanoseconds
        let phase = (from % length + length - offset) % length
        return MonotonicInstant(nanoseconds: from + (phase == 0 ? 0 : length - phase))
    }
}

extension MonotonicInstant {
    /// The first instant of a coarse grid that is not before this one. Timers that may be late are
    /// set to such instants: those of one thread then cost it one wake-up together.
    public var onCoarseGrid: Self {
        let step = UInt64(Nanoseconds.minutes(2).count)
        return Self(nanoseconds: (nanoseconds + step - 1) / step * step)
    }
}
