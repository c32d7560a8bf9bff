package import CryptoPrimitives
package import NetTypes

/// The text protocol by which `wg` reads and sets userspace devices (the cross-platform interface
/// of WireGuard): lines `key=value`, ended by an empty line.
package enum UAPI {
    /// Longer requests are refused: 4000 peers with a few prefixes fit.
    package static var maximumRequestByteCount: Int { 1 << 20 }

    package enum Request: Sendable {
        case get
        case set(Change)
    }

    /// Why a request is refused. Nothing of it is carried out.
    package enum ParseError: Error, Equatable, Sendable {
        /// Neither `get=1` nor `set=1` first, or no empty line at the end.
        case malformed
        case unknownKey(String)
        /// The value cannot be one for this key. The value is not shown: it may be a secret.
        case invalidValue(key: String)

        /// What the answer's `errno` says.
        package var errno: Int32 {
            switch self {
            case .malformed, .invalidValue: Errno.invalid
            case .unknownKey: Errno.protocol
            }
        }
    }

    /// Negative Linux error numbers, as they stand in answers.
    package enum Errno {
        package static var none: Int32 { 0 }
        package static var io: Int32 { -5 }
        package static var invalid: Int32 { -22 }
        package static var `protocol`: Int32 { -71 }
        package static var addressInUse: Int32 { -98 }
    }

    /// What is to become of one key.
    package enum KeyChange: Sendable {
        case remove
        case set(SecretBytes)
    }

    /// A `set` request. What it does not name stays as it is.
    package struct Change: Sendable {
        package var privateKey: KeyChange?
        package var listenPort: UInt16?
        /// Zero for none.
        package var firewallMark: UInt32?
        /// All peers go before those of this request come.
        package var replacesPeers = false
        /// In the order of the request.
        package var peers: [PeerChange] = []
    }

    package struct PeerChange: Sendable {
        package var publicKey: NodeKey
        /// Only if the peer exists.
        package var updatesOnly = false
        package var removes = false
        package var presharedKey: KeyChange?
        package var endpoint: Endpoint?
        /// Zero for off.
        package var persistentKeepalive: Nanoseconds?
        package var replacesAllowedIPs = false
        package var addedIPs: [IPPrefix] = []
        package var removedIPs: [IPPrefix] = []

        package init(publicKey: NodeKey) { self.publicKey = publicKey }

        /// What the peer is configured to afterwards; nil when it is to be removed or left absent.
        package func applied(to existing: PeerConfiguration?) -> PeerConfiguration? {
            guard !removes, !(updatesOnly && existing == nil) else { return nil }
            var result = existing ?? PeerConfiguration(publicKey: publicKey)
            switch presharedKey {
            case nil: break
            case .remove: result.presharedKey = nil
            case .set(let key): result.presharedKey = key
            }
            if let persistentKeepalive { result.persistentKeepalive = persistentKeepalive }
            if replacesAllowedIPs { result.allowedIPs = [] }
            result.allowedIPs.removeAll { removedIPs.contains($0) }
            result.allowedIPs += addedIPs
            return result
        }
    }
}
