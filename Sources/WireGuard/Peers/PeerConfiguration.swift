package import CryptoPrimitives
package import NetTypes

/// Names a peer from `upsertPeer` to `removePeer`; afterwards the number may name another.
package struct PeerIndex: Hashable, Comparable, Sendable, BitwiseCopyable {
    /// 0, 1, 2 …: fit to index a table.
    package let number: Int

    @inlinable package init(number: Int) { self.number = number }

    @inlinable package static func < (left: Self, right: Self) -> Bool {
        left.number < right.number
    }
}

/// All that is configured about a peer.
package struct PeerConfiguration: Sendable {
    package var publicKey: NodeKey
    package var presharedKey: SecretBytes?
    /// The peer's inner addresses. A prefix that another peer had moves to this one.
    package var allowedIPs: [IPPrefix]
    /// Zero for off.
    package var persistentKeepalive: Nanoseconds

    package init(
        publicKey: NodeKey, presharedKey: SecretBytes? = nil, allowedIPs: [IPPrefix] = [],
        persistentKeepalive: Nanoseconds = .zero
    ) {
        self.publicKey = publicKey
        self.presharedKey = presharedKey
        self.allowedIPs = allowedIPs
        self.persistentKeepalive = persistentKeepalive
    }
}

/// Why a peer cannot be added.
package enum PeerConfigurationError: Error, Equatable {
    case tooManyPeers(limit: Int)
    /// The key is this device's own.
    case ownKey
}
