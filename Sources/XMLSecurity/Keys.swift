internal import CXMLSec
package import NetTypes

/// A key that signatures are checked with: RSA of 2048 to 8192 bits, P-256, P-384 or P-521.
// Unchecked because of the pointer: what it points to does not change after init.
@safe
package final class VerificationKey: @unchecked Sendable {
    let pointer: OpaquePointer
    /// When the certificate it came in ends.
    package let expiry: Timestamp

    /// Takes the key out of a certificate. Who signed that, and when it ends, is not looked at: what trusts
    /// the key is whoever names the certificate.
    package init(certificate der: RawSpan) throws(XMLFault) {
        var status: Int32 = 0
        var expiry: Int64 = 0
        let key = unsafe der.pointer {
            unsafe cxmlsec_key_from_certificate($0, der.byteCount, &expiry, &status)
        }
        guard let key = unsafe key else { throw XMLFault(status) }
        unsafe pointer = key
        self.expiry = Timestamp(unixSeconds: expiry)
    }

    deinit { unsafe cxmlsec_key_free(pointer) }

    /// Whether this key signed bytes: RSASSA-PKCS1-v1_5 with SHA-256, as query strings are signed.
    package func signed(_ message: RawSpan, signature: RawSpan) -> Bool {
        unsafe message.pointer { messageBytes in
            unsafe signature.pointer { signatureBytes in
                unsafe cxmlsec_key_verify(
                    pointer, messageBytes, message.byteCount, signatureBytes, signature.byteCount)
                    == 1
            }
        }
    }

    static func withPointers<Result>(
        of keys: [VerificationKey],
        _ body: (UnsafePointer<OpaquePointer?>) throws(XMLFault) -> Result
    ) throws(XMLFault) -> Result {
        let pointers = unsafe keys.map { unsafe Optional($0.pointer) } + [nil]
        defer { withExtendedLifetime(keys) {} }
        var outcome = Swift.Result<Result, XMLFault>.failure(.internalError)
        unsafe pointers.withUnsafeBufferPointer { buffer in
            do throws(XMLFault) {
                outcome = .success(try unsafe body(buffer.baseAddress!))
            } catch {
                outcome = .failure(error)
            }
        }
        return try outcome.get()
    }
}

/// A private key with its certificate. Neither bytes nor description of the key leave it.
// Unchecked because of the pointer: what it points to does not change after init, and libcrypto allows any
// number of threads to use one key.
@safe
package final class SigningIdentity: @unchecked Sendable, CustomStringConvertible {
    let pointer: OpaquePointer
    /// DER.
    package let certificate: [UInt8]
    package let expiry: Timestamp

    package enum Kind: Sendable {
        /// What signs and decrypts.
        case rsa
        /// What signs only may be an elliptic curve too.
        case any
    }

    /// - Parameters:
    ///   - certificate: PEM.
    ///   - key: PEM, without a passphrase.
    package init(certificate: RawSpan, key: RawSpan, _ kind: Kind = .rsa) throws(XMLFault) {
        var status: Int32 = 0
        let loaded = unsafe certificate.pointer { certificateBytes in
            unsafe key.pointer { keyBytes in
                unsafe cxmlsec_identity_load(
                    certificateBytes, certificate.byteCount, keyBytes, key.byteCount,
                    kind == .rsa ? 1 : 0, &status)
            }
        }
        guard let loaded = unsafe loaded else { throw XMLFault(status) }
        var end: Int64 = 0
        do {
            self.certificate = try unsafe bytesOrFault {
                unsafe cxmlsec_identity_certificate(loaded, &$0, &end)
            }
        } catch {
            unsafe cxmlsec_identity_free(loaded)
            throw error
        }
        expiry = Timestamp(unixSeconds: end)
        unsafe pointer = loaded
    }

    deinit { unsafe cxmlsec_identity_free(pointer) }

    /// Signs bytes: RSASSA-PKCS1-v1_5 with SHA-256.
    package func sign(_ message: RawSpan) throws(XMLFault) -> [UInt8] {
        try unsafe bytesOrFault { made in
            unsafe message.pointer {
                unsafe cxmlsec_identity_sign(pointer, $0, message.byteCount, &made)
            }
        }
    }

    package var description: String { "<signing identity>" }

    /// A new key and a certificate that it signs itself, both PEM.
    package struct New: Sendable {
        package var certificate: [UInt8]
        package var key: [UInt8]
    }

    package enum NewKey: Int32, Sendable {
        case p256 = 256
        case rsa2048 = 2048
        case rsa3072 = 3072
    }

    /// Takes half a second for RSA.
    package static func make(
        _ key: NewKey, name: String, from begin: Timestamp, to end: Timestamp
    ) throws(XMLFault) -> New {
        let (certificate, privateKey) = try unsafe twoBytesOrFault { certificate, made in
            // A name in a certificate has at most 64 characters.
            unsafe String(name.prefix(64)).withCString {
                unsafe cxmlsec_identity_make(
                    key.rawValue, $0, begin.unixSeconds, end.unixSeconds, &certificate, &made)
            }
        }
        return New(certificate: certificate, key: privateKey)
    }
}
