package import LinuxIO
package import NetTypes

/// Tells when this machine's connection to the network changes. It owns a thread, which ends with
/// it.
package final class NetworkMonitor: Sendable {
    package struct Event: Equatable, Sendable {
        package enum Reason: Equatable, Sendable {
            /// The first look.
            case started
            case changed
            /// The machine was suspended for this long, whether or not the network changed.
            case resumed(after: Nanoseconds)
            /// The kernel could not be asked; the state is the last one known.
            case failed(SystemError)
        }
        package var reason: Reason
        package var state: LinkState
    }

    /// How often the clocks are compared in case that a suspension changed nothing else and the kernel
    /// did not tell.
    static var clockCheckInterval: Nanoseconds { .minutes(5) }

    private let loop: MonitorLoop
    private let thread: RunningThread

    /// Calls `onEvent` on the monitor's thread: at once with the present state, then after each
    /// change. A burst of changes is one event. `ignoredInterface` is ours. `onEvent` must not block
    /// for long and must not hold the last reference to the monitor.
    package init(
        ignoring ignoredInterface: String, onEvent: @escaping @Sendable (Event) -> Void
    ) throws(SystemError) {
        let loop = try MonitorLoop(ignoring: ignoredInterface)
        self.loop = loop
        thread = try startThread(name: "network-monitor") { loop.run(onEvent) }
    }

    deinit {
        // The thread is waited for when its handle goes.
        loop.stop()
    }
}
