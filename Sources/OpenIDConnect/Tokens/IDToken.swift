internal import ControlMessages
internal import NetTypes

/// A signed token in its compact form (RFC 7515 §7.1), read but not believed: whoever checks the
/// signature does so over `text` as a whole.
package struct IDToken: Equatable, Sendable {
    /// The longest that is read, in bytes.
    package static var byteLimit: Int { 64 << 10 }

    package let text: String
    package let algorithm: SignatureAlgorithm
    package let keyID: String?
    let claims: ProviderDocument

    /// Fails unless it is signed by one of `algorithms`.
    package init(
        _ text: String, algorithms: [SignatureAlgorithm]
    ) throws(TokenFault) {
        guard text.utf8.count <= Self.byteLimit else { throw .malformed }
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, let headerBytes = Base64.decodeURL(parts[0]),
            let claimBytes = Base64.decodeURL(parts[1]), Base64.decodeURL(parts[2]) != nil
        else { throw .malformed }
        let header: ProviderDocument
        do throws(DocumentFault) {
            header = try ProviderDocument(headerBytes)
            claims = try ProviderDocument(claimBytes)
        } catch {
            throw .malformed
        }
        let name = header["alg"]?.string ?? ""
        guard let algorithm = SignatureAlgorithm(rawValue: name), algorithms.contains(algorithm)
        else { throw .algorithm(Printable.line(name, limit: 20)) }
        // Extensions that have to be understood: none is (RFC 7515 §4.1.11).
        guard header["crit"] == nil else { throw .malformed }
        switch header["kid"] {
        case nil: keyID = nil
        case .string(let id): keyID = id
        default: throw .malformed
        }
        self.algorithm = algorithm
        self.text = text
    }
}

/// Why a token proves nothing.
package enum TokenFault: Error, Equatable, Sendable, CustomStringConvertible {
    case malformed
    /// It is signed by an algorithm that is not allowed, or not at all.
    case algorithm(String)
    /// No key of the provider has the name that it gives, or fits its algorithm.
    case unknownKey
    case signature
    case issuer
    case audience
    /// It was made for another client (`azp`).
    case authorizedParty
    case expired
    case notYetValid
    /// It is older than the sign-in that it answers.
    case tooOld
    case nonce
    case subject

    package var description: String {
        switch self {
        case .malformed: "the token makes no sense"
        case .algorithm(let name):
            "the token is signed by \(name.isEmpty ? "nothing" : name), which is not allowed"
        case .unknownKey: "the token is signed with a key that the provider does not publish"
        case .signature: "the token's signature is wrong"
        case .issuer: "the token is of another issuer"
        case .audience: "the token is for somebody else (aud)"
        case .authorizedParty: "the token was made for another client (azp)"
        case .expired: "the token has expired; compare the clocks"
        case .notYetValid: "the token is of the future; compare the clocks"
        case .tooOld: "the token is older than the sign-in; compare the clocks"
        case .nonce: "the token answers another sign-in (nonce)"
        case .subject: "the token names nobody (sub)"
        }
    }
}
