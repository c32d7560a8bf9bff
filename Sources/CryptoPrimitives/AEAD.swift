internal import CCrypto
package import NetTypes

/// A ChaCha20-Poly1305 key (RFC 8439). It holds its 32 bytes and no more: the state of the cipher belongs
/// to the thread that computes, so one key may be used by several at once.
package struct AEADKey: ~Copyable, Sendable {
    /// Bytes a sealed message is longer than its plaintext.
    package static var tagByteCount: Int { 16 }

    private let secret: SecretBytes
    private let backend: CipherBackend

    /// Packets by the million are worth `CipherBackend.fastest`.
    package init(_ key: SecretBytes, backend: CipherBackend = .libcrypto) {
        requireLibraries()
        precondition(backend == .libcrypto || backend.isAvailable, "the backend is not available")
        secret = key
        self.backend = backend
    }

    deinit { ccrypto_aead_forget() }

    /// How the 64-bit counter stands in the last eight of the twelve nonce bytes.
    package enum CounterOrder: Sendable {
        /// WireGuard and the Noise specification.
        case littleEndian
        /// The control channel.
        case bigEndian
    }

    /// Encrypts all but the last sixteen bytes of `buffer` in place and puts the tag into those.
    package func seal(
        inPlace buffer: inout MutableRawSpan, counter: UInt64,
        order: CounterOrder = .littleEndian, authenticating data: RawSpan = RawSpan()
    ) {
        let count = buffer.byteCount - Self.tagByteCount
        precondition(count >= 0, "no room for the tag")
        let isSealed = unsafe buffer.withUnsafeMutableBytes { text in
            unsafe call(ccrypto_aead_seal, text, count, counter, order, data)
        }
        precondition(isSealed == 1, "sealing fails only for want of memory")
    }

    /// Decrypts in place a text followed by its sixteen-byte tag. Returns false, leaving the bytes
    /// undefined, when it is not authentic.
    package func open(
        inPlace buffer: inout MutableRawSpan, counter: UInt64,
        order: CounterOrder = .littleEndian, authenticating data: RawSpan = RawSpan()
    ) -> Bool {
        let count = buffer.byteCount - Self.tagByteCount
        guard count >= 0 else { return false }
        return unsafe buffer.withUnsafeMutableBytes { text in
            unsafe call(ccrypto_aead_open, text, count, counter, order, data)
        } == 1
    }

    private typealias Operation = (
        Int32, UnsafePointer<UInt8>?, UnsafeMutablePointer<UInt8>?, Int, UnsafePointer<UInt8>?,
        UnsafePointer<UInt8>?, Int
    ) -> Int32

    @inline(__always)
    private func call(
        _ operation: Operation, _ text: UnsafeMutableRawBufferPointer, _ count: Int,
        _ counter: UInt64, _ order: CounterOrder, _ data: RawSpan
    ) -> Int32 {
        let value = order == .littleEndian ? counter.littleEndian : counter.bigEndian
        var nonce: (UInt32, UInt32, UInt32) = (
            0, UInt32(truncatingIfNeeded: value), UInt32(truncatingIfNeeded: value >> 32)
        )
        return unsafe withUnsafeBytes(of: &nonce) { nonce in
            secret.withBytes { key in
                unsafe key.pointer { key in
                    unsafe data.pointer { dataBytes in
                        unsafe operation(
                            backend.rawValue, key,
                            text.baseAddress!.assumingMemoryBound(to: UInt8.self), count,
                            nonce.baseAddress!.assumingMemoryBound(to: UInt8.self), dataBytes,
                            data.byteCount)
                    }
                }
            }
        }
    }
}

/// XChaCha20-Poly1305, with which WireGuard seals cookies.
package enum XChaCha20Poly1305 {
    /// The sealed text, its tag behind it. The nonce has 24 bytes.
    package static func seal(
        _ text: RawSpan, key: Bytes32, nonce: RawSpan, authenticating data: RawSpan
    ) -> [UInt8] {
        precondition(nonce.byteCount == 24, "the nonce has 24 bytes")
        requireLibraries()
        var sealed = [UInt8](repeating: 0, count: text.byteCount + 16)
        let isSealed = key.withBytes { key in
            unsafe sealed.withUnsafeMutableBufferPointer { out in
                unsafe text.pointer { textBytes in
                    unsafe nonce.pointer { nonce in
                        unsafe data.pointer { dataBytes in
                            unsafe key.pointer { key in
                                unsafe ccrypto_xaead_seal(
                                    out.baseAddress!, textBytes, text.byteCount, nonce, dataBytes,
                                    data.byteCount, key)
                            }
                        }
                    }
                }
            }
        }
        precondition(isSealed == 1, "sealing cannot fail")
        return sealed
    }

    /// Nil when the text is not authentic or the lengths are off.
    package static func open(
        _ sealed: RawSpan, key: Bytes32, nonce: RawSpan, authenticating data: RawSpan
    ) -> [UInt8]? {
        guard nonce.byteCount == 24, sealed.byteCount >= 16 else { return nil }
        requireLibraries()
        var text = [UInt8](repeating: 0, count: max(1, sealed.byteCount - 16))
        let isOpened = key.withBytes { key in
            unsafe text.withUnsafeMutableBufferPointer { out in
                unsafe sealed.pointer { sealedBytes in
                    unsafe nonce.pointer { nonce in
                        unsafe data.pointer { dataBytes in
                            unsafe key.pointer { key in
                                unsafe ccrypto_xaead_open(
                                    out.baseAddress!, sealedBytes, sealed.byteCount, nonce,
                                    dataBytes, data.byteCount, key)
                            }
                        }
                    }
                }
            }
        }
        return isOpened == 1 ? Array(text.prefix(sealed.byteCount - 16)) : nil
    }
}

/// The key two parties share for NaCl `crypto_box` (X25519, XSalsa20-Poly1305).
package struct BoxKey: Sendable {
    /// Bytes of nonce in front of a sealed message, and of tag within it.
    package static var nonceByteCount: Int { 24 }
    package static var tagByteCount: Int { 16 }

    private let shared: SecretBytes

    /// Nil when the public key is a point of small order.
    package init?<Own: KeyKind, Other: KeyKind>(
        _ own: PrivateKey<Own>, _ other: PublicKey<Other>
    ) {
        requireLibraries()
        let shared = unsafe filling(32) { shared in
            own.secret.withBytes { own in
                other.bytes.withBytes { other in
                    unsafe own.pointer { own in
                        unsafe other.pointer { unsafe ccrypto_box_shared_key(shared, $0, own) }
                    }
                }
            }
        } then: {
            SecretBytes(copying: $0)
        }
        guard let shared else { return nil }
        self.shared = shared
    }

    /// `nonce ‖ tag ‖ ciphertext`, under a nonce drawn from `random`.
    package func seal(_ text: RawSpan, random: inout some RandomNumberGenerator) -> [UInt8] {
        let nonce = random.bytes(count: 24)
        var sealed = [UInt8](repeating: 0, count: 16 + text.byteCount)
        let isSealed = shared.withBytes { shared in
            unsafe sealed.withUnsafeMutableBufferPointer { out in
                unsafe text.pointer { textBytes in
                    unsafe nonce.span.bytes.pointer { nonce in
                        unsafe shared.pointer { shared in
                            unsafe ccrypto_box_seal(
                                out.baseAddress!, textBytes, text.byteCount, nonce, shared)
                        }
                    }
                }
            }
        }
        precondition(isSealed == 1, "sealing cannot fail")
        return nonce + sealed
    }

    /// Opens `nonce ‖ tag ‖ ciphertext`; nil when it is too short or not authentic.
    package func open(_ sealed: RawSpan) -> [UInt8]? {
        guard sealed.byteCount >= 40 else { return nil }
        let nonce = sealed.extracting(0..<24)
        let box = sealed.extracting(24..<sealed.byteCount)
        var text = [UInt8](repeating: 0, count: max(1, box.byteCount - 16))
        let isOpened = shared.withBytes { shared in
            unsafe text.withUnsafeMutableBufferPointer { out in
                unsafe box.pointer { boxBytes in
                    unsafe nonce.pointer { nonce in
                        unsafe shared.pointer { shared in
                            unsafe ccrypto_box_open(
                                out.baseAddress!, boxBytes, box.byteCount, nonce, shared)
                        }
                    }
                }
            }
        }
        return isOpened == 1 ? Array(text.prefix(box.byteCount - 16)) : nil
    }
}
