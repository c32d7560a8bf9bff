internal import CXMLSec

/// Why a document, key or signature was refused.
package enum XMLFault: Error, Equatable, Sendable {
    case tooLarge
    case tooDeep
    case malformed
    /// A document type, and with it entities.
    case documentType
    /// A comment, CDATA section, processing instruction, or `xml:id`.
    case forbiddenMarkup
    /// Two elements have this ID.
    case duplicateID
    /// A signature element with other parts than it should have, or in another order.
    case signatureShape(String)
    case misplacedSignature
    /// The reference names something else than the element that the signature stands in.
    case foreignReference
    case forbiddenAlgorithm(String)
    case badSignature
    /// What was signed is not the element that the signature stands in.
    case signedSomethingElse
    case notEncryptedForUs
    case unsupportedKey
    case weakKey
    case keyMismatch
    case noKey
    case internalError

    init(_ status: Int32) {
        self =
            switch Int(status) {
            case CXMLSEC_TOO_LARGE: .tooLarge
            case CXMLSEC_TOO_DEEP: .tooDeep
            case CXMLSEC_MALFORMED: .malformed
            case CXMLSEC_DOCUMENT_TYPE: .documentType
            case CXMLSEC_FORBIDDEN_MARKUP: .forbiddenMarkup
            case CXMLSEC_MISPLACED_SIGNATURE: .misplacedSignature
            case CXMLSEC_BAD_SIGNATURE: .badSignature
            case CXMLSEC_NOT_DECRYPTED: .notEncryptedForUs
            case CXMLSEC_UNSUPPORTED_KEY: .unsupportedKey
            case CXMLSEC_WEAK_KEY: .weakKey
            case CXMLSEC_KEY_MISMATCH: .keyMismatch
            case CXMLSEC_NO_KEY: .noKey
            default: .internalError
            }
    }

    package var text: String {
        switch self {
        case .tooLarge: "it is too large"
        case .tooDeep: "its elements are nested too deeply"
        case .malformed: "it is not well-formed"
        case .documentType: "it has a document type, which is never needed and never read"
        case .forbiddenMarkup:
            "it has a comment, a CDATA section, a processing instruction or xml:id"
        case .duplicateID: "two of its elements have the same ID"
        case .signatureShape(let part): "its signature has an unexpected shape: \(part)"
        case .misplacedSignature: "a signature stands where none belongs"
        case .foreignReference: "a signature is about another element than the one it stands in"
        case .forbiddenAlgorithm(let name): "the algorithm \(name) is not accepted"
        case .badSignature: "its signature does not fit any of the keys that are known"
        case .signedSomethingElse: "what was signed is not what the signature stands in"
        case .notEncryptedForUs: "what is encrypted cannot be read with this server's key"
        case .unsupportedKey:
            "the key is of a kind that is not accepted (RSA of 2048 to 8192 bits, P-256, P-384, "
                + "P-521; RSA only for this server's own)"
        case .weakKey: "the key is weak: RSA needs 2048 bits or more"
        case .keyMismatch: "the private key does not belong to the certificate"
        case .noKey: "there is no private key that can be read"
        case .internalError: "internal error of the XML libraries"
        }
    }
}
