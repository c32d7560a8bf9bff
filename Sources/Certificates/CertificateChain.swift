internal import CX509
package import NetTypes

/// Certificates as a machine sends them: DER, one behind the other, the machine's own (the leaf) first.
///
/// That they can be read says nothing about who signed them; `TrustStore.check` does.
@safe
package final class CertificateChain {
    private let pointer: OpaquePointer
    package let leaf: LeafCertificate

    /// - Throws: when the bytes are too many, not certificates to the last one, or hold a key of a kind
    ///   that is not accepted.
    package init(der: RawSpan) throws(CertificateFault) {
        unsafe (pointer, leaf) = try unsafe Self.parse(der)
    }

    private static func parse(
        _ der: RawSpan
    ) throws(CertificateFault) -> (OpaquePointer, LeafCertificate) {
        var status: Int32 = 0
        let parsed = unsafe der.pointer { unsafe cx509_chain_parse($0, der.byteCount, &status) }
        guard let parsed = unsafe parsed else { throw CertificateFault(status) }
        guard let leaf = unsafe LeafCertificate(parsed) else {
            unsafe cx509_chain_free(parsed)
            throw .malformed
        }
        return unsafe (parsed, leaf)
    }

    deinit { unsafe cx509_chain_free(pointer) }

    /// Whether the leaf's key made this signature: RSA-PSS (salt of 32 bytes) or ECDSA, with SHA-256.
    package func leafSigned(_ message: RawSpan, signature: RawSpan) -> Bool {
        unsafe message.pointer { messageBytes in
            unsafe signature.pointer { signatureBytes in
                unsafe cx509_chain_verify(
                    pointer, messageBytes, message.byteCount, signatureBytes, signature.byteCount)
                    == 1
            }
        }
    }

    /// The leaf's value of a field; nil when it has none, several, or one that is no plain text.
    package func value(of field: CertificateField) -> String? {
        var text = [CChar](repeating: 0, count: Int(CX509_TEXT_BYTES))
        let found = unsafe text.withUnsafeMutableBufferPointer {
            unsafe cx509_chain_field(pointer, field.code, $0.baseAddress!)
        }
        return found == 1 ? String(readable: text) : nil
    }

    func check(
        in trust: OpaquePointer, at now: Timestamp
    ) throws(CertificateFault) -> [Bytes32] {
        var verdict = unsafe cx509_verdict()
        unsafe cx509_chain_check(pointer, trust, now.unixSeconds, &verdict)
        guard unsafe verdict.status == CX509_OK else {
            let detail = unsafe verdict.detail.map { unsafe String(cString: $0) } ?? ""
            throw unsafe CertificateFault(verdict.status, depth: verdict.depth, detail: detail)
        }
        let count = unsafe Int(verdict.built)
        return unsafe withUnsafeBytes(of: &verdict.key_hashes) { bytes in
            (0..<count).map { index in
                unsafe Bytes32(Array(bytes[index * 32..<index * 32 + 32]))
            }
        }
    }
}

/// What a machine's certificate says.
package struct LeafCertificate: Equatable, Sendable {
    /// RFC 2253, for people.
    package var subject: String
    package var notBefore: Timestamp
    package var notAfter: Timestamp
    /// SHA-256 of the SubjectPublicKeyInfo in its one canonical form: the same for every certificate of
    /// the key, however that wrote it.
    package var keyHash: Bytes32
    /// SHA-256 of issuer and serial number, by which lists revoke.
    package var serialHash: Bytes32

    init?(_ chain: OpaquePointer) {
        var leaf = cx509_leaf()
        guard unsafe cx509_chain_leaf(chain, &leaf) == 1 else { return nil }
        subject = unsafe withUnsafeBytes(of: &leaf.subject) { bytes in
            unsafe String(readable: bytes.map { CChar(bitPattern: $0) })
        }
        notBefore = Timestamp(unixSeconds: leaf.not_before)
        notAfter = Timestamp(unixSeconds: leaf.not_after)
        keyHash = unsafe withUnsafeBytes(of: &leaf.key_hash) { unsafe Bytes32(Array($0)) }
        serialHash = unsafe withUnsafeBytes(of: &leaf.serial_hash) { unsafe Bytes32(Array($0)) }
    }
}

/// Where a certificate may name somebody.
package enum CertificateField: String, CaseIterable, Sendable {
    case commonName = "CN"
    case organizationalUnit = "OU"
    case userID = "UID"
    case serialNumber = "serialNumber"
    case emailAddress = "emailAddress"
    case alternativeEmail = "san:email"
    case alternativeDNS = "san:dns"
    case alternativeURI = "san:uri"

    var code: Int32 {
        let code =
            switch self {
            case .commonName: CX509_COMMON_NAME
            case .organizationalUnit: CX509_ORGANIZATIONAL_UNIT
            case .userID: CX509_USER_ID
            case .serialNumber: CX509_SERIAL_NUMBER
            case .emailAddress: CX509_EMAIL_ADDRESS
            case .alternativeEmail: CX509_SAN_EMAIL
            case .alternativeDNS: CX509_SAN_DNS
            case .alternativeURI: CX509_SAN_URI
            }
        return Int32(code)
    }
}

extension String {
    /// Text up to the first zero. What could steer a terminal or reorder what stands beside it is
    /// replaced.
    init(readable text: [CChar]) {
        let bytes = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        let scalars = String(decoding: bytes, as: UTF8.self).unicodeScalars.map { scalar in
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse:
                "\u{FFFD}" as Unicode.Scalar
            default: scalar
            }
        }
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        self.init(view)
    }
}

extension RawSpan {
    /// Passes the bytes to a C function. An empty span gives a pointer that must not be read.
    @unsafe
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
