internal import CLinux

/// A thread started by `startThread`. Whoever holds it waits for its end: by `join`, or when this
/// value goes.
package struct RunningThread: ~Copyable, Sendable {
    private let identity: UInt64

    fileprivate init(identity: UInt64) { self.identity = identity }

    /// Returns when the thread has ended.
    package consuming func join() {}

    deinit { _ = clinux_thread_join(identity) }
}

/// Runs `body` on a new thread with all signals blocked. The thread makes and owns its engine as a
/// local; others reach it by a mailbox and a `Wakeup`. `name` is cut to 15 bytes.
package func startThread(
    name: String, body: @escaping @Sendable () -> Void
) throws(SystemError) -> RunningThread {
    let box = unsafe Unmanaged.passRetained(ThreadBody(body))
    var identity: UInt64 = 0
    let result = unsafe clinux_thread_start(
        name, { unsafe runThreadBody($0) }, box.toOpaque(), &identity)
    if result < 0 { unsafe box.release() }
    _ = try check("pthread_create", result)
    return RunningThread(identity: identity)
}

private final class ThreadBody: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

private func runThreadBody(_ argument: UnsafeMutableRawPointer?) {
    guard let argument = unsafe argument else { return }
    unsafe Unmanaged<ThreadBody>.fromOpaque(argument).takeRetainedValue().run()
}
