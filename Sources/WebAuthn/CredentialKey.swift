package import CBOR
package import CryptoPrimitives

/// The public key of a credential in the form in which authenticators send it (COSE_Key, RFC 9053 §7,
/// RFC 8230, RFC 8812).
package struct CredentialKey: Equatable, Sendable {
    /// COSE's numbers of the algorithms that are asked for, the best first.
    package static var algorithms: [Int64] { [eddsa, es256, rs256] }
    private static let es256: Int64 = -7
    private static let eddsa: Int64 = -8
    private static let rs256: Int64 = -257

    package let key: SignatureKey

    /// From a key as it was stored.
    package init(parsing bytes: [UInt8]) throws(PasskeyFault) {
        // It was read once before; where it is broken now does not matter.
        guard let value = try? CBOR(parsing: bytes) else { throw .malformed("public key") }
        try self.init(value)
    }

    package init(_ value: CBOR) throws(PasskeyFault) {
        guard value.entries != nil, let kind = value[1]?.integer,
            let algorithm = value[3]?.integer
        else { throw .malformed("public key") }
        switch (kind, algorithm) {
        case (2, Self.es256):
            guard value[-1] == .integer(1), let x = value[-2]?.bytes, let y = value[-3]?.bytes
            else { throw .malformed("public key") }
            key = .es256(x: x, y: y)
        case (1, Self.eddsa):
            guard value[-1] == .integer(6), let bytes = value[-2]?.bytes else {
                throw .malformed("public key")
            }
            key = .ed25519(bytes)
        case (3, Self.rs256):
            guard let modulus = value[-1]?.bytes, let exponent = value[-2]?.bytes else {
                throw .malformed("public key")
            }
            key = .rs256(modulus: modulus, exponent: exponent)
        default: throw .unsupportedKey
        }
        guard key.isWellFormed else { throw .malformed("public key") }
    }
}
