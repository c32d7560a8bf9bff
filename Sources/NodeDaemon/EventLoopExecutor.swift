internal import NIOCore
internal import NIOPosix
@_spi(ExperimentalCustomExecutors) @_spi(ExperimentalScheduling) internal import _Concurrency

/// Runs the tasks of this process on NIO's event loops instead of libdispatch's threads.
///
/// libdispatch looks after its threads once a second from the moment that a task first ran on one
/// of them: an idle node would wake sixty times a minute for nothing. On the event loops a task that
/// waited for the network goes on where the network woke it, so that one wake-up does for both, and
/// `Task.sleep` is a timer of the loop. In return no task may block for long.
///
/// The interface is that of the toolchain the project is pinned to, not yet one of the language.
package enum EventLoopExecutor {
    /// To be called before the first task is made.
    package static func install() { _createExecutors(factory: Factory.self) }

    private enum Factory: ExecutorFactory {
        /// What is bound to the main thread stays there; nothing is after the start.
        static var mainExecutor: any MainExecutor { PlatformExecutorFactory.mainExecutor }
        static let defaultExecutor: any TaskExecutor = LoopExecutor()
    }
}

private final class LoopExecutor: TaskExecutor, SchedulingExecutor {
    /// The loop of this thread, if it is one's.
    private var loop: any EventLoop { MultiThreadedEventLoopGroup.singleton.any() }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        loop.execute { [self] in run(job) }
    }

    func enqueue<C: Clock>(
        _ job: consuming ExecutorJob, after delay: C.Duration, tolerance: C.Duration?, clock: C
    ) {
        schedule(UnownedJob(job), in: delay)
    }

    func enqueue<C: Clock>(
        _ job: consuming ExecutorJob, at instant: C.Instant, tolerance: C.Duration?, clock: C
    ) {
        schedule(UnownedJob(job), in: clock.now.duration(to: instant))
    }

    private func schedule(_ job: UnownedJob, in delay: some DurationProtocol) {
        guard let delay = delay as? Duration else {
            preconditionFailure("tasks sleep by clocks that count seconds")
        }
        let (seconds, attoseconds) = delay.components
        // No longer than a century, which is less than the nanoseconds that an Int64 counts.
        let limit: Int64 = 3_155_760_000
        let nanoseconds =
            min(max(seconds, 0), limit) * 1_000_000_000 + max(attoseconds, 0) / 1_000_000_000
        loop.scheduleTask(in: .nanoseconds(nanoseconds)) { [self] in run(job) }
    }

    private func run(_ job: UnownedJob) { job.runSynchronously(on: asUnownedTaskExecutor()) }
}
