package import NetTypes

/// The server's idea of the time, which decides when keys expire: a machine whose clock is off must
/// neither drop good peers nor keep expired ones (control protocol §5.10).
///
/// It is carried on by the monotonic clock, so it does not follow when the local clock jumps.
package struct ServerClock: Equatable, Sendable {
    private struct Anchor: Equatable {
        var time: Timestamp
        var instant: MonotonicInstant
    }
    private var anchor: Anchor?

    package init() {}

    /// Takes in the server's time. Differences of up to a minute are the network's; times before
    /// 2023 come from a server that does not know the time itself.
    package mutating func update(
        serverTime: Timestamp, localTime: Timestamp, at instant: MonotonicInstant
    ) {
        guard serverTime.unixSeconds >= 1_673_373_066 else { return }
        let isClose = abs((serverTime - localTime).count) <= Nanoseconds.minutes(1).count
        anchor = Anchor(time: isClose ? localTime : serverTime, instant: instant)
    }

    /// The server's time; the local one as long as the server has not told its own.
    package func now(localTime: Timestamp, at instant: MonotonicInstant) -> Timestamp {
        anchor.map { $0.time + (instant - $0.instant) } ?? localTime
    }
}
