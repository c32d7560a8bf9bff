internal import CX509

/// A certificate with its private key: what a machine signs with. Neither bytes nor description of the key
/// leave it.
// Unchecked because of the pointer: what it points to does not change after init, and libcrypto allows any
// number of threads to sign with one key.
@safe
package final class MachineIdentity: @unchecked Sendable, CustomStringConvertible {
    private let pointer: OpaquePointer
    /// DER, one behind the other, the leaf first.
    package let certificates: [UInt8]
    package let leaf: LeafCertificate

    /// - Parameters:
    ///   - certificates: PEM, the leaf first, then intermediates.
    ///   - key: PEM, without a passphrase.
    package convenience init(
        certificates: RawSpan, key: RawSpan
    ) throws(CertificateFault) {
        var status: Int32 = 0
        let loaded = unsafe certificates.pointer { certificateBytes in
            unsafe key.pointer { keyBytes in
                unsafe cx509_identity_load(
                    certificateBytes, certificates.byteCount, keyBytes, key.byteCount, &status)
            }
        }
        try unsafe self.init(loaded, status)
    }

    /// A key that stays in a token (PKCS#11, RFC 7512), reached through OpenSSL's provider.
    package convenience init(
        certificates: RawSpan, keyURI: String
    ) throws(CertificateFault) {
        var status: Int32 = 0
        let loaded = unsafe certificates.pointer { certificateBytes in
            unsafe keyURI.withCString { uri in
                unsafe cx509_identity_load_uri(
                    certificateBytes, certificates.byteCount, uri, &status)
            }
        }
        try unsafe self.init(loaded, status)
    }

    private init(_ loaded: OpaquePointer?, _ status: Int32) throws(CertificateFault) {
        guard let loaded = unsafe loaded else { throw CertificateFault(status) }
        var count = 0
        let bytes = unsafe cx509_identity_chain(loaded, &count)
        let certificates = unsafe Array(UnsafeBufferPointer(start: bytes, count: count))
        do {
            leaf = try unsafe CertificateChain(der: certificates.span.bytes).leaf
        } catch {
            unsafe cx509_identity_free(loaded)
            throw error
        }
        self.certificates = certificates
        unsafe pointer = loaded
    }

    deinit { unsafe cx509_identity_free(pointer) }

    /// Signs with SHA-256: RSA-PSS (salt of 32 bytes) or ECDSA. Nil when the key refuses, as a token that
    /// was removed does.
    package func sign(_ message: RawSpan) -> [UInt8]? {
        var signature = [UInt8](repeating: 0, count: Int(CX509_MAX_SIGNATURE_BYTES))
        let count = unsafe signature.withUnsafeMutableBufferPointer { buffer in
            unsafe message.pointer {
                unsafe cx509_identity_sign(pointer, $0, message.byteCount, buffer.baseAddress!)
            }
        }
        return count > 0 ? Array(signature.prefix(count)) : nil
    }

    package var description: String { "<identity of \(leaf.subject)>" }
}
