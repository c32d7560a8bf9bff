package import CryptoPrimitives

/// HKDF (RFC 5869) over HMAC-BLAKE2s with one, two or three outputs of 32 bytes, as Noise (§4.3)
/// and WireGuard (paper §5.4) use it: the chaining key is the salt, the info is empty.
package enum KeyDerivation {
    /// The first output for `input`, which may be empty.
    package static func derive1(_ chainingKey: SecretBytes, _ input: RawSpan) -> SecretBytes {
        expand(extract(chainingKey, input), after: nil, 1)
    }

    /// The first two outputs.
    package static func derive2(
        _ chainingKey: SecretBytes, _ input: RawSpan
    ) -> (SecretBytes, SecretBytes) {
        let key = extract(chainingKey, input)
        let first = expand(key, after: nil, 1)
        return (first, expand(key, after: first, 2))
    }

    /// The first three outputs.
    package static func derive3(
        _ chainingKey: SecretBytes, _ input: RawSpan
    ) -> (SecretBytes, SecretBytes, SecretBytes) {
        let key = extract(chainingKey, input)
        let first = expand(key, after: nil, 1)
        let second = expand(key, after: first, 2)
        return (first, second, expand(key, after: second, 3))
    }

    private static func extract(_ chainingKey: SecretBytes, _ input: RawSpan) -> SecretBytes {
        chainingKey.withBytes { BLAKE2s.hmac(key: $0, input) }
    }

    private static func expand(
        _ key: SecretBytes, after previous: SecretBytes?, _ counter: UInt8
    ) -> SecretBytes {
        let last: [1 of UInt8] = [counter]
        return key.withBytes { key in
            guard let previous else { return unsafe BLAKE2s.hmac(key: key, last.span.bytes) }
            return previous.withBytes { unsafe BLAKE2s.hmac(key: key, $0, last.span.bytes) }
        }
    }
}
