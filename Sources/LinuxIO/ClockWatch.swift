internal import CLinux

/// Becomes readable when the civil clock jumps: by hand, by its keeper, or because the machine was
/// suspended.
package struct ClockWatch: ~Copyable, Sendable {
    private let timer: Descriptor

    package init() throws(SystemError) {
        timer = Descriptor(owning: try check("timerfd_create", clinux_clock_watch_open()))
    }

    /// For a `Poller`.
    package var descriptor: Int32 { timer.raw }

    /// Waits for the next jump.
    package func rearm() throws(SystemError) {
        _ = try check("timerfd_settime", clinux_clock_watch_rearm(timer.raw))
    }
}
