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

    private(set) var entries: [Entry?] = []

    subscript(number: Int) -> Entry? {
        get { number < entries.count ? entries[number] : nil }
        set {
            while entries.count <= number { entries.append(nil) }
            entries[number] = newValue
        }
    }
}
