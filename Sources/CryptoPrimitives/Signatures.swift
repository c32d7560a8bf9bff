internal import CCrypto
import NetTypes

/// A public key of somebody else whose signatures are checked.
package enum SignatureKey: Equatable, Sendable {
    /// ECDSA over P-256 with SHA-256: a point. Signatures are in DER.
    case es256(x: [UInt8], y: [UInt8])
    /// RSA PKCS #1 v1.5 with SHA-256, both numbers big-endian. 2,048 to 4,096 bits.
    case rs256(modulus: [UInt8], exponent: [UInt8])
    /// Ed25519 (RFC 8032), 32 bytes. Signatures have 64.
    case ed25519([UInt8])

    private var kind: CInt {
        switch self {
        case .es256: CInt(CCRYPTO_ES256)
        case .rs256: CInt(CCRYPTO_RS256)
        case .ed25519: CInt(CCRYPTO_ED25519)
        }
    }

    private var parts: ([UInt8], [UInt8]) {
        switch self {
        case .es256(let x, let y): (x, y)
        case .rs256(let modulus, let exponent): (modulus, exponent)
        case .ed25519(let key): (key, [])
        }
    }

    /// Whether these are a key at all: a point of the curve, a modulus and exponent of a safe size.
    package var isWellFormed: Bool {
        requireLibraries()
        let (first, second) = parts
        let firstSpan = unsafe first.span.bytes
        let secondSpan = unsafe second.span.bytes
        return unsafe firstSpan.pointer { first in
            unsafe secondSpan.pointer { second in
                unsafe ccrypto_signature_key_check(
                    kind, first, firstSpan.byteCount, second, secondSpan.byteCount)
            }
        } == 1
    }

    /// Whether this key signed the message. False as well for a key that is none.
    package func verifies(_ signature: RawSpan, of message: RawSpan) -> Bool {
        requireLibraries()
        let (first, second) = parts
        let firstSpan = unsafe first.span.bytes
        let secondSpan = unsafe second.span.bytes
        return unsafe firstSpan.pointer { first in
            unsafe secondSpan.pointer { second in
                unsafe message.pointer { text in
                    unsafe signature.pointer { signed in
                        unsafe ccrypto_signature_check(
                            kind, first, firstSpan.byteCount, second, secondSpan.byteCount, text,
                            message.byteCount, signed, signature.byteCount)
                    }
                }
            }
        } == 1
    }
}
