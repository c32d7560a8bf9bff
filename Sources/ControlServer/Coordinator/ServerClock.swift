package import Coordination
import LinuxIO
import NetTypes

/// Reads both clocks of the machine.
package struct ServerClock: Sendable {
    /// What to add to the wall clock; for tests of what happens in days.
    var offset = Nanoseconds.zero

    package init() {}

    package var now: Moment {
        Moment(monotonic: BootClock.now() + offset, wall: CivilTime.now() + offset)
    }
}
