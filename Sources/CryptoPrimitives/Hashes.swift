internal import CCrypto
package import NetTypes

/// BLAKE2s (RFC 7693).
package enum BLAKE2s {
    /// BLAKE2s-256 of `first ‖ second`.
    package static func hash(_ first: RawSpan, _ second: RawSpan = RawSpan()) -> Bytes32 {
        digest(32, key: RawSpan(), first, second) { Bytes32($0) }
    }

    /// Keyed BLAKE2s with sixteen bytes of output: the MACs of WireGuard. The key has 1...32 bytes.
    package static func mac16(key: RawSpan, _ message: RawSpan) -> [16 of UInt8] {
        precondition((1...32).contains(key.byteCount), "a BLAKE2s key has 1 to 32 bytes")
        return digest(16, key: key, message, RawSpan()) { bytes in
            [16 of UInt8] { bytes.byte(at: $0) }
        }
    }

    /// Keyed BLAKE2s with 32 bytes of output. The key has 1...32 bytes.
    package static func mac32(key: RawSpan, _ message: RawSpan) -> Bytes32 {
        precondition((1...32).contains(key.byteCount), "a BLAKE2s key has 1 to 32 bytes")
        return digest(32, key: key, message, RawSpan()) { Bytes32($0) }
    }

    private static func digest<Result>(
        _ count: Int, key: RawSpan, _ first: RawSpan, _ second: RawSpan,
        _ read: (RawSpan) -> Result
    ) -> Result {
        requireLibraries()
        let result = unsafe filling(count) { result in
            unsafe key.pointer { keyBytes in
                unsafe first.pointer { firstBytes in
                    unsafe second.pointer { secondBytes in
                        unsafe ccrypto_blake2s(
                            result, count, keyBytes, key.byteCount, firstBytes, first.byteCount,
                            secondBytes, second.byteCount)
                    }
                }
            }
        } then: {
            read($0)
        }
        guard let result else { preconditionFailure("BLAKE2s cannot fail") }
        return result
    }

    /// HMAC-BLAKE2s-256 (RFC 2104) of `first ‖ second`.
    package static func hmac(
        key: RawSpan, _ first: RawSpan, _ second: RawSpan = RawSpan()
    ) -> SecretBytes {
        requireLibraries()
        let result = unsafe filling(32) { result in
            unsafe key.pointer { keyBytes in
                unsafe first.pointer { firstBytes in
                    unsafe second.pointer { secondBytes in
                        unsafe ccrypto_hmac_blake2s(
                            result, keyBytes, key.byteCount, firstBytes, first.byteCount,
                            secondBytes, second.byteCount)
                    }
                }
            }
        } then: {
            SecretBytes(copying: $0)
        }
        guard let result else { preconditionFailure("HMAC cannot fail") }
        return result
    }
}

package enum SHA256 {
    package static func hash(_ bytes: RawSpan) -> Bytes32 {
        let result = unsafe filling(32) { result in
            unsafe bytes.pointer { unsafe ccrypto_sha256(result, $0, bytes.byteCount) }
        } then: {
            Bytes32($0)
        }
        guard let result else { preconditionFailure("SHA-256 cannot fail") }
        return result
    }
}

/// HMAC-SHA-1 (RFC 2104), which one-time passwords need (RFC 4226). Its weakness, collisions, does
/// not matter there.
package enum HMACSHA1 {
    /// Twenty bytes.
    package static func mac(key: RawSpan, _ message: RawSpan) -> [UInt8] {
        requireLibraries()
        let result = unsafe filling(20) { result in
            unsafe key.pointer { keyBytes in
                unsafe message.pointer { bytes in
                    unsafe ccrypto_hmac_sha1(
                        result, keyBytes, key.byteCount, bytes, message.byteCount)
                }
            }
        } then: {
            $0.array
        }
        guard let result else { preconditionFailure("HMAC cannot fail") }
        return result
    }
}

/// The kernel's randomness.
package struct SecureRandom: RandomNumberGenerator, Sendable {
    package init() { requireLibraries() }

    package mutating func next() -> UInt64 {
        var value: UInt64 = 0
        unsafe ccrypto_random(&value, 8)
        return value
    }
}

extension RandomNumberGenerator {
    /// `count` bytes. Pass `SecureRandom` for anything that must not be guessed.
    package mutating func bytes(count: Int) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(count)
        while result.count < count {
            let word: UInt64 = next()
            for shift in stride(from: 0, to: 64, by: 8) where result.count < count {
                result.append(UInt8(truncatingIfNeeded: word >> UInt64(shift)))
            }
        }
        return result
    }
}

/// Whether two secrets are equal, in time that depends on their lengths only.
package func constantTimeEqual(_ left: RawSpan, _ right: RawSpan) -> Bool {
    requireLibraries()
    guard left.byteCount == right.byteCount else { return false }
    return unsafe left.pointer { leftBytes in
        unsafe right.pointer { rightBytes in
            unsafe ccrypto_equal(leftBytes, rightBytes, left.byteCount) == 1
        }
    }
}

/// Overwrites bytes in a way the compiler may not leave out.
package func wipe(_ bytes: inout [UInt8]) {
    unsafe bytes.withUnsafeMutableBytes { buffer in
        if let base = buffer.baseAddress { unsafe ccrypto_wipe(base, buffer.count) }
    }
}
