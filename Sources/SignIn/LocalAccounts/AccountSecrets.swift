import ControlMessages
package import CryptoPrimitives
import NetTypes

/// Keeps what is in the database useless for whoever has only that: password hashes and secrets of
/// authenticators are sealed, recovery codes hashed, with a key that lies in a file beside it.
package struct AccountSecrets: Sendable {
    private let sealing: SecretBytes
    private let hashing: SecretBytes

    enum Purpose: String {
        case password
        case oneTimeCodes = "one-time codes"
    }

    package init(_ key: SecretBytes) {
        sealing = Self.derive("skein account sealing", from: key)
        hashing = Self.derive("skein recovery codes", from: key)
    }

    private static func derive(_ label: String, from key: SecretBytes) -> SecretBytes {
        let label = Array(label.utf8)
        var derived = key.withBytes { unsafe BLAKE2s.mac32(key: $0, label.span.bytes).array }
        defer { wipe(&derived) }
        return unsafe SecretBytes(copying: derived.span.bytes)
    }

    /// Bound to its place: sealed text of one user or purpose does not open as that of another.
    private static func context(_ purpose: Purpose, _ user: UserID) -> [UInt8] {
        Array("\(purpose.rawValue) of \(user)".utf8)
    }

    func seal(
        _ text: [UInt8], as purpose: Purpose, of user: UserID,
        random: inout some RandomNumberGenerator
    ) -> String {
        let nonce = random.bytes(count: 24)
        let context = Self.context(purpose, user)
        let key = sealing.withBytes { Bytes32($0) }
        let sealed = unsafe XChaCha20Poly1305.seal(
            text.span.bytes, key: key, nonce: nonce.span.bytes, authenticating: context.span.bytes)
        return Hexadecimal.encode(nonce + sealed)
    }

    /// Nil when the text was sealed with another key, for another place, or is damaged.
    func open(_ sealed: String, as purpose: Purpose, of user: UserID) -> [UInt8]? {
        guard let bytes = Hexadecimal.decode(sealed), bytes.count > 24 else { return nil }
        let nonce = Array(bytes.prefix(24))
        let rest = Array(bytes.dropFirst(24))
        let context = Self.context(purpose, user)
        let key = sealing.withBytes { Bytes32($0) }
        return unsafe XChaCha20Poly1305.open(
            rest.span.bytes, key: key, nonce: nonce.span.bytes,
            authenticating: context.span.bytes)
    }

    /// What authenticators keep to name a user: it tells nobody else which.
    func passkeyHandle(of user: UserID) -> [UInt8] {
        let text = Array("passkeys of \(user)".utf8)
        return hashing.withBytes { unsafe BLAKE2s.mac32(key: $0, text.span.bytes).array }
    }

    func hash(recoveryCode: [UInt8], of user: UserID) -> Bytes32 {
        let text = Array("\(user) ".utf8) + recoveryCode
        return hashing.withBytes { unsafe BLAKE2s.mac32(key: $0, text.span.bytes) }
    }
}
