import CBOR
package import NetTypes

/// What the authenticator says (WebAuthn level 3, §6.1): 37 bytes, then a new credential and extensions
/// where the flags say so, and nothing behind.
package struct AuthenticatorData: Equatable, Sendable {
    package struct Flags: OptionSet, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }
        package static let userPresent = Self(rawValue: 0x01)
        package static let userVerified = Self(rawValue: 0x04)
        /// The key may leave the authenticator, to be synchronized.
        package static let backupEligible = Self(rawValue: 0x08)
        package static let backedUp = Self(rawValue: 0x10)
        package static let attestedCredential = Self(rawValue: 0x40)
        package static let extensions = Self(rawValue: 0x80)
    }

    /// A credential that was just made.
    package struct AttestedCredential: Equatable, Sendable {
        /// 1 to 1,023 bytes.
        package var id: [UInt8]
        /// The public key as it was sent.
        package var publicKey: [UInt8]
        package var key: CredentialKey
    }

    /// SHA-256 of the relying party's ID.
    package var partyHash: Bytes32
    package var flags: Flags
    package var counter: UInt32
    package var credential: AttestedCredential?

    /// More than any authenticator sends.
    private static var limit: Int { 8192 }

    package init(parsing bytes: [UInt8]) throws(PasskeyFault) {
        guard (37...Self.limit).contains(bytes.count) else {
            throw .malformed("authenticator data")
        }
        partyHash = Bytes32(Array(bytes[..<32]))
        flags = Flags(rawValue: bytes[32])
        counter = bytes[33..<37].reduce(0) { $0 << 8 | UInt32($1) }
        var position = 37
        if flags.contains(.attestedCredential) {
            credential = try Self.credential(bytes, at: &position)
        }
        if flags.contains(.extensions) {
            // Where it is broken off tells nobody anything.
            // As above: what cannot be read is no key.
            guard let value = try? CBOR.read(bytes, at: &position), value.entries != nil else {
                throw .malformed("extensions")
            }
        }
        guard position == bytes.count else { throw .malformed("authenticator data") }
    }

    private static func credential(
        _ bytes: [UInt8], at position: inout Int
    ) throws(PasskeyFault) -> AttestedCredential {
        // Sixteen bytes name the model, which decides nothing here.
        let start = position + 18
        guard bytes.count >= start else { throw .malformed("authenticator data") }
        let count = Int(bytes[start - 2]) << 8 | Int(bytes[start - 1])
        guard (1...1023).contains(count), bytes.count >= start + count else {
            throw .malformed("credential ID")
        }
        let keyStart = start + count
        position = keyStart
        // What cannot be read is no key, wherever it is broken.
        guard let value = try? CBOR.read(bytes, at: &position) else {
            throw .malformed("public key")
        }
        return AttestedCredential(
            id: Array(bytes[start..<keyStart]), publicKey: Array(bytes[keyStart..<position]),
            key: try CredentialKey(value))
    }
}
