package import Coordination
import Glibc
import NetTypes

/// Reads both clocks of the machine.
package struct ServerClock: Sendable {
    /// What to add to the wall clock; for tests of what happens in days.
    var offset = Nanoseconds.zero

    package init() {}

    package var now: Moment {
        Moment(
            monotonic: MonotonicInstant(nanoseconds: Self.read(CLOCK_BOOTTIME)) + offset,
            wall: Self.wall + offset)
    }

    private static var wall: Timestamp {
        let nanoseconds = read(CLOCK_REALTIME)
        return Timestamp(
            unixSeconds: Int64(nanoseconds / 1_000_000_000),
            nanoseconds: UInt32(nanoseconds % 1_000_000_000))
    }

    private static func read(_ clock: clockid_t) -> UInt64 {
        var value = timespec()
        let status = clock_gettime(clock, &value)
        precondition(status == 0, "both clocks exist on Linux")
        return UInt64(value.tv_sec) * 1_000_000_000 + UInt64(value.tv_nsec)
    }
}
