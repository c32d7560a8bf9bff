import Synchronization

/// How many of something there are, up to a limit.
final class Counter: Sendable {
    private let count = Mutex(0)

    /// Returns false, changing nothing, when there are `limit` already.
    func increase(to limit: Int) -> Bool {
        count.withLock { count in
            guard count < limit else { return false }
            count += 1
            return true
        }
    }

    func decrease() { count.withLock { $0 -= 1 } }
}
