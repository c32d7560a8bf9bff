import DataPlane
import LinuxIO
import LocalAPI
import Logging
import NetReport
import NetTypes

extension LocalNode {
    /// Tells the packet thread whether it may try ports.
    func reconcileHardNATSearch() {
        guard applied.isHardNATSearchOn != prefs.searchesHardNAT else { return }
        applied.isHardNATSearchOn = prefs.searchesHardNAT
        parts.dataPlane.setHardNATSearch(isEnabled: prefs.searchesHardNAT)
    }

    func remember(_ lifetimes: [LearnedLifetime]) {
        stored.note(lifetimes, at: CivilTime.now())
        do throws(StateError) { try store() } catch {
            // They are learned again, that is all.
            logger.info("the lifetimes of NAT mappings are not remembered: \(error)")
        }
    }

    func remember(metThroughHardNAT peer: NodeKey) {
        stored.noteHardNATPassed(peer)
        do throws(StateError) { try store() } catch {
            // The next search for the peer begins a moment later, that is all.
            logger.info("a path through a hard NAT is not remembered: \(error)")
        }
    }
}
