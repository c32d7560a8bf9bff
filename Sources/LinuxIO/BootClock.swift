internal import CLinux
package import NetTypes

/// The clock of packet threads: it goes on while the machine is suspended.
package enum BootClock {
    /// `CLOCK_BOOTTIME`. Costs about 25 ns: read it once for each wake-up, not for each packet.
    package static func now() -> MonotonicInstant {
        MonotonicInstant(nanoseconds: clinux_boottime())
    }

    /// `CLOCK_MONOTONIC`, which stands still while the machine is suspended: its distance to `now`
    /// grows by the time slept.
    package static func awakeTime() -> MonotonicInstant {
        MonotonicInstant(nanoseconds: clinux_monotonic())
    }
}
