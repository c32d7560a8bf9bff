internal import CLinux

/// Wakes a thread that waits in a `Poller` (eventfd(2)): add `descriptor` to it, and `clear` when it
/// is reported, before looking at what the wake-up was about.
package struct Wakeup: ~Copyable, Sendable {
    private let event: Descriptor

    package init() throws(SystemError) {
        event = Descriptor(owning: try check("eventfd", clinux_eventfd()))
    }

    package var descriptor: Int32 { event.raw }

    /// Callable from any thread, never blocks. Several signals before a `clear` are one wake-up.
    package func signal() {
        // Fails only when the counter is full, and then the thread is being woken already.
        _ = clinux_eventfd_signal(event.raw)
    }

    package func clear() {
        // Fails only when nothing was signalled.
        _ = clinux_eventfd_clear(event.raw)
    }
}
