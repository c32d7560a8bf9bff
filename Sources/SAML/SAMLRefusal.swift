package import XMLSecurity

/// Why a response signs nobody in.
package enum SAMLRefusal: Error, Equatable, Sendable {
    case notBase64
    case document(XMLFault)
    /// The outermost element is another.
    case notAResponse
    /// An element that is missing, doubled, or not what it should be.
    case malformed(String)
    /// The provider's own words: the last part of its status codes.
    case status(String)
    /// Not exactly one assertion.
    case assertionCount(Int)
    /// Neither the response nor the assertion is signed.
    case unsigned
    /// AES-CBC in a response that is not signed: answers to changed texts would tell what is in it.
    case unauthenticatedEncryption
    case wrongIssuer
    case wrongDestination
    case wrongRecipient
    /// It answers no request that is under way.
    case unsolicited
    /// The assertion was made for another request than the response.
    case wrongRequest
    case expired
    case notYetValid
    case wrongAudience
    case unknownCondition(String)
    case replayed
    /// The NameID is not of the format that identities need.
    case unstableSubject(String)
    /// The attribute that names the subject is missing or has several values.
    case noSubjectAttribute
    case busy
    /// The provider's metadata is out of reach, unreadable, or says too little.
    case noProvider(String)

    /// For the log and the audit log.
    package var text: String {
        switch self {
        case .notBase64: "the response is not base64"
        case .document(let fault): "the response is refused: \(fault.text)"
        case .notAResponse: "what was sent is no SAML response"
        case .malformed(let part): "the response is not as it should be: \(part)"
        case .status(let code): "the provider signed nobody in: \(code)"
        case .assertionCount(let count): "the response has \(count) assertions instead of one"
        case .unsigned: "neither the response nor its assertion is signed"
        case .unauthenticatedEncryption:
            "the assertion is encrypted by AES-CBC and the response is not signed: let the provider "
                + "sign responses or encrypt by AES-GCM"
        case .wrongIssuer: "the response is of another provider"
        case .wrongDestination: "the response is meant for another address"
        case .wrongRecipient: "the assertion is meant for another address"
        case .unsolicited: "the response answers no request that is under way"
        case .wrongRequest: "the assertion was made for another request"
        case .expired: "the assertion is out of date"
        case .notYetValid: "the assertion is not valid yet: compare the clocks"
        case .wrongAudience: "the assertion is meant for another service"
        case .unknownCondition(let name): "the assertion has a condition unknown here: \(name)"
        case .replayed: "the assertion was used before"
        case .unstableSubject(let format):
            "the NameID has the format \(format), by which nobody is known again"
        case .noSubjectAttribute:
            "the attribute that says who somebody is does not have exactly one value"
        case .busy: "too many sign-ins at once"
        case .noProvider(let reason): reason
        }
    }
}
