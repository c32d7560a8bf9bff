import ControlMessages
import Coordination
import NetTypes

extension CoordinationOwner {
    /// Whether the relay may serve a node: one that is in the network with a valid key.
    func admits(_ key: NodeKey) -> Bool {
        guard let node = coordinator.state.node(key: key) else { return false }
        return !node.isExpired(at: clock.now.wall)
    }

    /// A login that waits, as its page shows it.
    func waitingMachine(_ id: String) -> WaitingMachine? {
        guard let login = coordinator.waitingLogin(PendingLoginID(id)) else { return nil }
        return WaitingMachine(
            hostname: login.hostinfo.hostname,
            system: login.hostinfo.operatingSystem, nodeKey: login.nodeKey,
            command: "skein-server nodes approve --user USER \(login.id)")
    }
}
