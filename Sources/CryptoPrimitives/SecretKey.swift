internal import CCrypto
package import NetTypes

/// Loads the C libraries. A machine where that fails can do nothing useful, so it traps.
private let libraries: Void = {
    precondition(ccrypto_initialize() == 1, "libcrypto and libsodium must initialize")
}()

@inline(__always)
func requireLibraries() { _ = libraries }

/// Thirty-two secret bytes on the heap, wiped when the last holder lets go.
///
/// Never printed: `description` shows no byte of it.
// Unchecked because of the pointer: the memory is written in init, before any other thread can see
// it, only read afterwards, and wiped in deinit, when no other thread can see it any more.
@safe
package final class SecretBytes: @unchecked Sendable, CustomStringConvertible {
    private let memory: UnsafeMutableRawPointer

    /// Copies 32 bytes; the caller wipes its own copy. Traps on another length.
    package init(copying bytes: RawSpan) {
        precondition(bytes.byteCount == 32, "a secret has 32 bytes")
        let memory = UnsafeMutableRawPointer.allocate(byteCount: 32, alignment: 16)
        unsafe bytes.withUnsafeBytes {
            unsafe memory.copyMemory(from: $0.baseAddress!, byteCount: 32)
        }
        unsafe self.memory = memory
    }

    /// Fresh random bytes from the kernel.
    package init() {
        requireLibraries()
        let memory = UnsafeMutableRawPointer.allocate(byteCount: 32, alignment: 16)
        unsafe ccrypto_random(memory, 32)
        unsafe self.memory = memory
    }

    deinit {
        unsafe ccrypto_wipe(memory, 32)
        unsafe memory.deallocate()
    }

    package func withBytes<Result, Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(
            unsafe RawSpan(_unsafeBytes: UnsafeRawBufferPointer(start: memory, count: 32)))
    }

    package var description: String { "<secret>" }
}

/// An X25519 private key and its public half.
package final class PrivateKey<Kind: KeyKind>: Sendable, CustomStringConvertible {
    package let secret: SecretBytes
    package let publicKey: PublicKey<Kind>

    /// Takes the bytes as they are: X25519 clamps while multiplying.
    package init(_ secret: SecretBytes) {
        requireLibraries()
        self.secret = secret
        let computed = unsafe filling(32) { result in
            secret.withBytes { scalar in
                unsafe scalar.pointer { unsafe ccrypto_x25519_base(result, $0) }
            }
        } then: {
            Bytes32($0)
        }
        guard let computed else { preconditionFailure("X25519 of the base point cannot fail") }
        publicKey = PublicKey(computed)
    }

    /// A new key from the kernel's randomness, clamped (RFC 7748 §5) so that every reader of its
    /// text agrees on its bytes.
    package convenience init() {
        var seed = SecretBytes().withBytes { $0.array }
        seed[0] &= 248
        seed[31] = seed[31] & 127 | 64
        unsafe self.init(SecretBytes(copying: seed.span.bytes))
        wipe(&seed)
    }

    /// Parses `privkey:` and 64 hexadecimal digits.
    package convenience init?(text: String) {
        guard text.hasPrefix("privkey:"),
            var bytes = Hexadecimal.decode(text.dropFirst("privkey:".count)), bytes.count == 32
        else { return nil }
        unsafe self.init(SecretBytes(copying: bytes.span.bytes))
        wipe(&bytes)
    }

    /// The text to store: `privkey:` and 64 digits. Goes into files of mode 0600 and nowhere else.
    package var storedText: String {
        "privkey:" + secret.withBytes { Hexadecimal.encode($0.array) }
    }

    package var description: String { "<private key of \(publicKey)>" }

    /// The Diffie–Hellman secret shared with the holder of `other`; nil when `other` is a point of
    /// small order and the result would be zero.
    package func sharedSecret(with other: Bytes32) -> SecretBytes? {
        X25519.multiply(secret, other)
    }
}

package enum X25519 {
    /// scalar · point (RFC 7748 §5); nil when the result is all zero.
    package static func multiply(_ scalar: SecretBytes, _ point: Bytes32) -> SecretBytes? {
        requireLibraries()
        return unsafe filling(32) { result in
            scalar.withBytes { scalar in
                point.withBytes { point in
                    unsafe scalar.pointer { scalar in
                        unsafe point.pointer { unsafe ccrypto_x25519(result, scalar, $0) }
                    }
                }
            }
        } then: {
            SecretBytes(copying: $0)
        }
    }
}

/// Lets a C function fill `count` bytes of scratch, gives them to `read` if it succeeded (returned
/// 1), and wipes them.
@unsafe
func filling<Result>(
    _ count: Int, _ fill: (UnsafeMutablePointer<UInt8>) -> Int32, then read: (RawSpan) -> Result
) -> Result? {
    unsafe withUnsafeTemporaryAllocation(byteCount: count, alignment: 16) { buffer in
        let start = buffer.baseAddress!
        defer { unsafe ccrypto_wipe(start, count) }
        guard unsafe fill(start.assumingMemoryBound(to: UInt8.self)) == 1 else { return nil }
        return read(unsafe RawSpan(_unsafeBytes: UnsafeRawBufferPointer(buffer)))
    }
}

extension RawSpan {
    /// Passes the bytes to a C function. An empty span gives a pointer that must not be read.
    @inline(__always) @unsafe
    func pointer<Result>(_ body: (UnsafePointer<UInt8>) -> Result) -> Result {
        unsafe withUnsafeBytes { buffer in
            guard let base = buffer.baseAddress else {
                var none: UInt8 = 0
                return unsafe withUnsafePointer(to: &none) { unsafe body($0) }
            }
            return unsafe body(base.assumingMemoryBound(to: UInt8.self))
        }
    }
}
