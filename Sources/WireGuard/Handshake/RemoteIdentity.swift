internal import CryptoPrimitives
internal import NetTypes

/// A peer's key and what follows from it.
struct RemoteIdentity {
    let publicKey: NodeKey
    let authenticationKeys: AuthenticationKeys
    private var staticSecret: SecretBytes?

    init(_ publicKey: NodeKey) {
        self.publicKey = publicKey
        authenticationKeys = AuthenticationKeys(of: publicKey)
    }

    /// DH of both static keys, computed at the first handshake: thousands of peers that never talk
    /// cost nothing. Nil when the peer's key is a point of small order.
    mutating func staticSecret(with local: PrivateKey<NodeKind>) -> SecretBytes? {
        if staticSecret == nil { staticSecret = local.sharedSecret(with: publicKey.bytes) }
        return staticSecret
    }

    /// Our own key has changed.
    mutating func forgetStaticSecret() { staticSecret = nil }
}
