import ControlMessages
import Coordination
import NetTypes

extension CoordinationOwner {
    /// Whether the relay may serve a node: one that is in the network with a valid key, and approved.
    func admits(_ key: NodeKey) -> Bool {
        guard let node = coordinator.state.node(key: key) else { return false }
        return node.isAdmitted(at: clock.now.wall)
    }
}
