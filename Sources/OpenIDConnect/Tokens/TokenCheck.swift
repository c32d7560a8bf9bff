internal import ControlMessages
internal import CryptoPrimitives
package import NetTypes

/// What the claims of a token have to be (OpenID Connect Core §3.1.3.7), its signature apart.
package struct TokenCheck: Sendable {
    /// How far a provider's clock may be off.
    package static var tolerance: Nanoseconds { .minutes(2) }

    package var issuer: String
    package var clientID: String
    package var nonce: String
    /// When the sign-in began.
    package var begun: Timestamp

    package init(issuer: String, clientID: String, nonce: String, begun: Timestamp) {
        self.issuer = issuer
        self.clientID = clientID
        self.nonce = nonce
        self.begun = begun
    }

    package func check(_ token: IDToken, at now: Timestamp) throws(TokenFault) {
        let claims = token.claims
        guard claims["iss"]?.string == issuer else { throw .issuer }
        let audiences: [String]
        switch claims["aud"] {
        case .string(let one): audiences = [one]
        case .array(let several): audiences = several.compactMap(\.string)
        default: throw .audience
        }
        guard audiences.contains(clientID) else { throw .audience }
        switch claims["azp"] {
        case nil: guard audiences.count == 1 else { throw .authorizedParty }
        case .string(let party): guard party == clientID else { throw .authorizedParty }
        default: throw .authorizedParty
        }
        guard let expiry = Self.time(claims["exp"]), let issued = Self.time(claims["iat"]) else {
            throw .malformed
        }
        guard now < expiry + Self.tolerance else { throw .expired }
        guard issued <= now + Self.tolerance else { throw .notYetValid }
        guard issued + Self.tolerance >= begun else { throw .tooOld }
        if let start = claims["nbf"] {
            guard let start = Self.time(start) else { throw .malformed }
            guard start <= now + Self.tolerance else { throw .notYetValid }
        }
        let claimed = Array((claims["nonce"]?.string ?? "").utf8)
        let expected = Array(nonce.utf8)
        guard unsafe constantTimeEqual(claimed.span.bytes, expected.span.bytes) else {
            throw .nonce
        }
        guard let subject = claims["sub"]?.string, Person.isSubject(subject) else {
            throw .subject
        }
    }

    /// Seconds since 1970, with a fraction that is left out; nil for what is far from any sense.
    private static func time(_ json: JSON?) -> Timestamp? {
        guard case .number(let digits) = json else { return nil }
        let whole = digits.prefix { $0 != "." }
        let rest = digits.dropFirst(whole.count + 1)
        guard let seconds = Int64(whole), (0...253_402_300_799).contains(seconds),
            rest.utf8.allSatisfy({ (0x30...0x39).contains($0) })
        else { return nil }
        return Timestamp(unixSeconds: seconds)
    }
}
