internal import CCrypto

/// Who computes ChaCha20-Poly1305.
package enum CipherBackend: Int32, CaseIterable, Sendable {
    /// OpenSSL's, on every processor.
    case libcrypto = 0
    /// Intel Multi-Buffer Crypto (vector instructions, AVX-512 included) on x86-64, where its library
    /// is installed. Its first use loads the library; each thread that uses it has 200 kB of state.
    case ipsecMB = 1

    /// Whether this machine has it, with results equal to libcrypto's.
    package var isAvailable: Bool {
        requireLibraries()
        return ccrypto_aead_is_available(rawValue) == 1
    }

    /// Nanoseconds it took to seal a packet of 1,420 bytes, measured once when the first program part
    /// asked; nil when it is not available.
    package var nanosecondsPerPacket: Int? {
        requireLibraries()
        let measured = Int(ccrypto_aead_nanoseconds(rawValue))
        return measured > 0 ? measured : nil
    }

    /// The one that was faster in that measurement.
    package static var fastest: CipherBackend {
        requireLibraries()
        return CipherBackend(rawValue: ccrypto_aead_fastest())!
    }
}
