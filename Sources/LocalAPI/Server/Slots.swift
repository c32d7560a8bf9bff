import Synchronization

/// Counts connections, so that one user cannot keep all others out.
final class Slots: Sendable {
    private struct State {
        var total = 0
        var byUser: [UInt32: Int] = [:]
    }
    private let state = Mutex(State())

    /// False when there is no room for another connection of this user.
    func take(for caller: Caller) -> Bool {
        state.withLock { state in
            let own = state.byUser[caller.uid, default: 0]
            guard state.total < LocalServer.maximumConnections,
                caller.uid == 0 || own < LocalServer.maximumConnectionsOfUser
            else { return false }
            state.total += 1
            state.byUser[caller.uid] = own + 1
            return true
        }
    }

    func give(back caller: Caller) {
        state.withLock { state in
            state.total -= 1
            let own = state.byUser[caller.uid, default: 1] - 1
            state.byUser[caller.uid] = own == 0 ? nil : own
        }
    }
}
