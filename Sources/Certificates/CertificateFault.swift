internal import CX509

/// Why a certificate, its chain or a file with such is refused. The text is for people.
package enum CertificateFault: Error, Equatable, Sendable {
    case empty
    case tooLarge
    case tooManyCertificates
    case malformed
    case unsupportedKey
    case weakKey
    case authorityAsLeaf
    case noDigitalSignature
    case noClientAuthentication
    case expired(isLeaf: Bool)
    case notYetValid(isLeaf: Bool)
    case revoked(isLeaf: Bool)
    case noRevocationList
    case staleRevocationList
    case untrusted
    case badSignature
    case notAnAuthority
    case nameConstraint
    case weakDigest
    case encryptedKey
    case keyMismatch
    case noPrivateKey
    case noTokenProvider
    /// In the words of libcrypto.
    case other(String)

    init(_ status: Int32, depth: Int32 = 0, detail: String = "internal error") {
        let isLeaf = depth == 0
        self =
            switch Int(status) {
            case CX509_EMPTY: .empty
            case CX509_TOO_LARGE: .tooLarge
            case CX509_TOO_MANY: .tooManyCertificates
            case CX509_MALFORMED: .malformed
            case CX509_UNSUPPORTED_KEY: .unsupportedKey
            case CX509_WEAK_KEY: .weakKey
            case CX509_AUTHORITY_AS_LEAF: .authorityAsLeaf
            case CX509_NO_DIGITAL_SIGNATURE: .noDigitalSignature
            case CX509_NO_CLIENT_AUTHENTICATION: .noClientAuthentication
            case CX509_EXPIRED: .expired(isLeaf: isLeaf)
            case CX509_NOT_YET_VALID: .notYetValid(isLeaf: isLeaf)
            case CX509_REVOKED: .revoked(isLeaf: isLeaf)
            case CX509_NO_REVOCATION_LIST: .noRevocationList
            case CX509_STALE_REVOCATION_LIST: .staleRevocationList
            case CX509_UNTRUSTED: .untrusted
            case CX509_BAD_SIGNATURE: .badSignature
            case CX509_NOT_AN_AUTHORITY: .notAnAuthority
            case CX509_NAME_CONSTRAINT: .nameConstraint
            case CX509_WEAK_DIGEST: .weakDigest
            case CX509_ENCRYPTED_KEY: .encryptedKey
            case CX509_KEY_MISMATCH: .keyMismatch
            case CX509_NO_KEY: .noPrivateKey
            case CX509_NO_PROVIDER: .noTokenProvider
            default: .other(detail)
            }
    }

    package var text: String {
        switch self {
        case .empty: "there is no certificate"
        case .tooLarge: "the certificates are larger than \(CX509_MAX_CHAIN_BYTES) bytes"
        case .tooManyCertificates: "there are more than \(CX509_MAX_CERTIFICATES) certificates"
        case .malformed: "a certificate or list cannot be read"
        case .unsupportedKey:
            "a certificate has a key of a kind that is not accepted (RSA of 2048 to 8192 bits, "
                + "P-256; for authorities P-384, P-521 and Ed25519 too)"
        case .weakKey: "a certificate has a weak key: RSA needs 2048 bits or more"
        case .authorityAsLeaf: "the certificate is one of an authority, not of a machine"
        case .noDigitalSignature: "the certificate's key is not for digital signatures"
        case .noClientAuthentication: "the certificate is not for client authentication"
        case .expired(let isLeaf): "\(Self.subject(isLeaf)) has expired"
        case .notYetValid(let isLeaf): "\(Self.subject(isLeaf)) is not valid yet"
        case .revoked(let isLeaf): "\(Self.subject(isLeaf)) was revoked"
        case .noRevocationList: "there is no revocation list of the certificate's authority"
        case .staleRevocationList:
            "the revocation list of the certificate's authority is out of date"
        case .untrusted: "the certificate does not lead to an authority that is trusted here"
        case .badSignature: "a certificate's signature is wrong"
        case .notAnAuthority: "a certificate is signed by one that is not an authority"
        case .nameConstraint:
            "the certificate's names are not among those its authority may certify"
        case .weakDigest: "a certificate is signed with a weak digest, such as SHA-1"
        case .encryptedKey:
            "the private key is protected by a passphrase, which nobody could enter"
        case .keyMismatch: "the private key does not belong to the first certificate"
        case .noPrivateKey: "there is no private key that can be read"
        case .noTokenProvider: "OpenSSL's provider for PKCS#11 (pkcs11-provider) is not installed"
        case .other(let detail): "a certificate is not accepted: \(detail)"
        }
    }

    private static func subject(_ isLeaf: Bool) -> String {
        isLeaf ? "the certificate" : "the certificate of an authority in its chain"
    }
}
