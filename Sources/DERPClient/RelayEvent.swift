package import DERP
package import NetTypes

/// Packets that one read of a relay connection brought, in the order of arrival.
package struct RelayPacketBatch: Sendable {
    package struct Packet: Hashable, Sendable {
        /// Who sent it, as the relay says.
        package var source: NodeKey
        /// Where in `bytes` it lies. Ranges do not overlap.
        package var range: Range<Int>
    }
    package var region: Int
    /// Owned by the batch alone, so that a receiver can decrypt in place.
    package var bytes: [UInt8]
    package var packets: [Packet]
}

package enum RelayEvent: Hashable, Sendable {
    /// Logged in. `latency` is the time from dialling to the end of the login.
    case connected(region: Int, latency: Nanoseconds)
    /// The connection ended, or an attempt failed; the reason is for people. The pool reconnects
    /// by itself unless the region is idle and not home.
    case disconnected(region: Int, reason: String)
    /// No relay of the region lets us in. Until `connected`, packets for it go through home, where the
    /// peer may be found as well.
    case unreachable(region: Int)
    /// The peer left this relay, or is not connected to it.
    case peerGone(region: Int, NodeKey, PeerGoneReason)
    /// Round trip of a ping through the established connection.
    case latency(region: Int, Nanoseconds)
    /// A problem of this connection in the relay's words; empty when it is over.
    case health(region: Int, String)
}
