import NetTypes
import NodeCore

/// What the packet thread remembers of each peer beside the engines, by the engines' peer number.
struct PeerTable {
    struct Entry {
        var desired: DesiredPeer
        /// Where a plain WireGuard peer was heard last, or was said to be.
        var plainEndpoint: Endpoint?
        /// Set through `wg` by root, who filters its packets by the host's firewall: the network's
        /// rules know nothing of it.
        var isUnfiltered = false
    }

    /// What is asked for each packet. Unlike the whole entry it is copied without counting references.
    struct Facts: BitwiseCopyable {
        var nodeKey: NodeKey
        var isWireGuardOnly: Bool
        var isUnfiltered: Bool
    }

    private(set) var entries: [Entry?] = []
    private var facts: [Facts?] = []

    subscript(number: Int) -> Entry? {
        get { number < entries.count ? entries[number] : nil }
        set {
            while entries.count <= number {
                entries.append(nil)
                facts.append(nil)
            }
            entries[number] = newValue
            facts[number] = newValue.map { entry in
                Facts(
                    nodeKey: entry.desired.nodeKey,
                    isWireGuardOnly: entry.desired.isWireGuardOnly,
                    isUnfiltered: entry.isUnfiltered)
            }
        }
    }

    @inline(__always)
    func facts(_ number: Int) -> Facts? { number < facts.count ? facts[number] : nil }
}
