internal import CryptoPrimitives
internal import NetTypes

/// Our own key and what follows from it.
struct LocalIdentity {
    let privateKey: PrivateKey<NodeKind>
    var cookieChecker: CookieChecker

    var publicKey: NodeKey { privateKey.publicKey }

    init(_ privateKey: PrivateKey<NodeKind>) {
        self.privateKey = privateKey
        cookieChecker = CookieChecker(publicKey: privateKey.publicKey)
    }
}
