package import NetTypes

/// What `wg show` tells of a peer.
package struct PeerTrafficStatus: Equatable, Sendable {
    package var publicKey: NodeKey
    /// Sorted.
    package var allowedIPs: [IPPrefix]
    /// Whole WireGuard messages, handshakes included.
    package var receivedBytes: UInt64
    package var sentBytes: UInt64
    /// Nil before the first.
    package var lastHandshake: Timestamp?
    /// Zero for off.
    package var persistentKeepalive: Nanoseconds
}

extension WireGuardDevice {
    /// Nil when there is no such peer.
    package func status(of peer: PeerIndex) -> PeerTrafficStatus? {
        let number = peer.number
        guard peers.contains(number) else { return nil }
        let traffic = peers[number].traffic
        return PeerTrafficStatus(
            publicKey: peers[number].remote.publicKey, allowedIPs: peers[number].allowedIPs,
            receivedBytes: traffic.receivedBytes, sentBytes: traffic.sentBytes,
            lastHandshake: traffic.lastHandshake,
            persistentKeepalive: peers[number].timers.persistentKeepaliveInterval)
    }

    /// What the peer is configured to; nil when there is no such peer.
    package func configuration(of peer: PeerIndex) -> PeerConfiguration? {
        let number = peer.number
        guard peers.contains(number) else { return nil }
        return PeerConfiguration(
            publicKey: peers[number].remote.publicKey, presharedKey: peers[number].presharedKey,
            allowedIPs: peers[number].allowedIPs,
            persistentKeepalive: peers[number].timers.persistentKeepaliveInterval)
    }

    /// The peers there are, in the order of their numbers.
    package var peerIndices: [PeerIndex] {
        (0..<peers.endIndex).filter { peers.contains($0) }.map { PeerIndex(number: $0) }
    }
}
