internal import CryptoPrimitives
package import NetTypes

/// 256 random bits as text, for cookies. The server keeps their hash only, and a fast one: there is
/// nothing to guess.
package enum SecretToken {
    package static func make(random: inout some RandomNumberGenerator) -> String {
        Hexadecimal.encode(random.bytes(count: 32))
    }

    /// Nil for what is no token.
    package static func hash(_ text: String) -> Bytes32? {
        guard text.utf8.count == 64, let bytes = Hexadecimal.decode(text) else { return nil }
        return unsafe SHA256.hash(bytes.span.bytes)
    }

    /// What a form of the browser with this token must hold: who can send the cookie along without
    /// knowing it, as another site can, cannot compute it.
    package static func formToken(_ text: String) -> String? {
        guard text.utf8.count == 64, let bytes = Hexadecimal.decode(text) else { return nil }
        let label = Array("form".utf8)
        let mac = unsafe BLAKE2s.mac32(key: bytes.span.bytes, label.span.bytes)
        return Hexadecimal.encode(mac.array)
    }

    package static func isFormToken(_ typed: String, of text: String) -> Bool {
        guard let expected = formToken(text) else { return false }
        let left = Array(typed.utf8)
        let right = Array(expected.utf8)
        return unsafe constantTimeEqual(left.span.bytes, right.span.bytes)
    }
}
