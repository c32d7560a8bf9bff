import CryptoPrimitives
import Foundation
import NIOPosix
import SignIn
import Synchronization

/// Compares and makes password hashes on threads of its own, so that neither event loops nor the
/// pool of tasks wait for them, and few at once, because each takes its memory.
final class PasswordHasher: Sendable {
    /// More wait than this only under attack.
    private static let queueLimit = 256

    /// Too many wait already.
    struct Busy: Error {}

    private let cost: PasswordHash.Cost
    private let pool: NIOThreadPool
    private let waiting = Mutex(0)

    init(cost: PasswordHash.Cost) {
        self.cost = cost
        // Half of the machine is left for everything else.
        let threads = max(1, min(4, ProcessInfo.processInfo.activeProcessorCount / 2))
        pool = NIOThreadPool(numberOfThreads: threads)
        pool.start()
    }

    func compare(_ password: String, _ hash: String) async throws -> PasswordOutcome {
        let cost = cost
        return try await run {
            guard PasswordHash.matches(password, hash) else {
                return PasswordOutcome(matches: false)
            }
            guard PasswordHash.isOutdated(hash, cost: cost) else {
                return PasswordOutcome(matches: true)
            }
            return PasswordOutcome(
                matches: true, renewed: PasswordHash.make(password, cost: cost))
        }
    }

    func make(_ password: String) async throws -> String {
        let cost = cost
        guard let hash = try await run({ PasswordHash.make(password, cost: cost) }) else {
            throw Busy()
        }
        return hash
    }

    private func run<Result: Sendable>(
        _ work: @escaping @Sendable () -> Result
    ) async throws -> Result {
        let isAdmitted = waiting.withLock { count in
            guard count < Self.queueLimit else { return false }
            count += 1
            return true
        }
        guard isAdmitted else { throw Busy() }
        defer { waiting.withLock { $0 -= 1 } }
        return try await pool.runIfActive(work)
    }

    func shutDown() async {
        // It cannot be shut down twice, and that is all that could be thrown.
        try? await pool.shutdownGracefully()
    }
}
