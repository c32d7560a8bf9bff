package import CryptoPrimitives
internal import NetTypes

/// A key made for one handshake. Never shown or stored as text.
package enum EphemeralKind: KeyKind { package static var textPrefix: String { "ephemeral:" } }

/// The private half of an ephemeral key.
package typealias EphemeralKey = PrivateKey<EphemeralKind>

extension PrivateKey where Kind == EphemeralKind {
    /// A fresh key. X25519 clamps while multiplying, so any 32 bytes do.
    package convenience init(random: inout some RandomNumberGenerator) {
        var seed = random.bytes(count: 32)
        unsafe self.init(SecretBytes(copying: seed.span.bytes))
        wipe(&seed)
    }
}
