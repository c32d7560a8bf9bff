import Synchronization

/// Hands notices to any number of watchers. A watcher that does not read loses the oldest ones:
/// its stream holds at most `capacity`.
package final class NotifyBus: Sendable {
    package static let capacity = 64
    /// More watchers than this are refused with a stream that ends at once.
    package static let maximumWatchers = 64

    private struct State {
        var nextID = 0
        var watchers: [(id: Int, continuation: AsyncStream<Notify>.Continuation)] = []
        var isClosed = false
    }
    private let state = Mutex(State())

    package init() {}

    package func publish(_ notify: Notify) {
        // Yielding runs code of the stream, so it happens outside the lock.
        let watchers = state.withLock { $0.watchers }
        for watcher in watchers { watcher.continuation.yield(notify) }
    }

    /// - Parameter first: What the watcher is told before anything else; nil for nothing. Whoever
    ///   owns the state asks and publishes from the same actor, so that no change falls between.
    package func watch(first: Notify?) -> AsyncStream<Notify> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: Notify.self, bufferingPolicy: .bufferingNewest(Self.capacity))
        if let first { continuation.yield(first) }
        let id: Int? = state.withLock { state in
            guard !state.isClosed, state.watchers.count < Self.maximumWatchers else { return nil }
            state.nextID += 1
            state.watchers.append((state.nextID, continuation))
            return state.nextID
        }
        guard let id else {
            continuation.finish()
            return stream
        }
        continuation.onTermination = { [weak self] _ in
            self?.state.withLock { state in state.watchers.removeAll { $0.id == id } }
        }
        return stream
    }

    /// Ends all streams, present and future.
    package func close() {
        let watchers = state.withLock { state in
            state.isClosed = true
            defer { state.watchers = [] }
            return state.watchers
        }
        for watcher in watchers { watcher.continuation.finish() }
    }
}
