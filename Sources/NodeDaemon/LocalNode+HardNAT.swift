import DataPlane
import LocalAPI
import Logging
import NetTypes

extension LocalNode {
    /// Tells the packet thread whether it may try ports.
    func reconcileHardNATSearch() {
        guard applied.isHardNATSearchOn != prefs.searchesHardNAT else { return }
        applied.isHardNATSearchOn = prefs.searchesHardNAT
        parts.dataPlane.setHardNATSearch(isEnabled: prefs.searchesHardNAT)
    }

    func remember(metThroughHardNAT peer: NodeKey) {
        stored.noteHardNATPassed(peer)
        do throws(StateError) { try store() } catch {
            // The next search for the peer begins a moment later, that is all.
            logger.info("a path through a hard NAT is not remembered: \(error)")
        }
    }
}
