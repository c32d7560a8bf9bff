internal import CryptoPrimitives
internal import NetTypes

/// The secret that the relays of one region share, by which they know each other.
package final class MeshKey: Sendable, CustomStringConvertible {
    private let secret: SecretBytes

    /// Reads 64 hexadecimal digits; nil for anything else.
    package init?(text: some StringProtocol) {
        guard var bytes = Hexadecimal.decode(text), bytes.count == 32 else { return nil }
        secret = unsafe SecretBytes(copying: bytes.span.bytes)
        wipe(&bytes)
    }

    /// Whether a login names the same key. Takes as long for any wrong one.
    func matches(_ text: String) -> Bool {
        guard var bytes = Hexadecimal.decode(text), bytes.count == 32 else { return false }
        defer { wipe(&bytes) }
        return secret.withBytes { own in unsafe constantTimeEqual(own, bytes.span.bytes) }
    }

    /// As it stands in a login, which is sealed.
    var loginText: String { secret.withBytes { Hexadecimal.encode($0.array) } }

    package var description: String { "<mesh key>" }
}
