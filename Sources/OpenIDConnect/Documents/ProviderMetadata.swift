internal import ControlMessages

/// What a provider says of itself (OpenID Connect Discovery 1.0 §3), or what the configuration says.
package struct ProviderMetadata: Equatable, Sendable {
    /// Nil: not a provider of OpenID Connect.
    package var issuer: String?
    package var authorizationEndpoint: ProviderURL
    package var tokenEndpoint: ProviderURL
    package var userInfoEndpoint: ProviderURL?
    /// Where its keys are; nil: not a provider of OpenID Connect.
    package var keysEndpoint: ProviderURL?
    /// How a client may prove itself, by the names of RFC 8414.
    package var clientAuthentications: [String] = ["client_secret_basic"]
    /// Whether its answers name the issuer (RFC 9207).
    package var namesIssuerInAnswers = false

    /// Where the document of an issuer is (Discovery §4).
    package static func address(ofIssuer issuer: String) -> String {
        (issuer.hasSuffix("/") ? String(issuer.dropLast()) : issuer)
            + "/.well-known/openid-configuration"
    }

    /// Reads a discovery document. Addresses that are not secure are accepted from an issuer on this
    /// machine only, which has such an address itself.
    package init(_ bytes: [UInt8], for settings: OpenIDSettings) throws(DocumentFault) {
        let document = try ProviderDocument(bytes)
        let issuer = try document.text("issuer")
        // As a whole: else one provider could speak for another (§4.3).
        guard issuer == settings.issuer else { throw .issuer(Printable.line(issuer)) }
        self.issuer = issuer
        let mayBePlain = ProviderURL(issuer)?.isSecure == false
        func address(_ name: String) throws(DocumentFault) -> ProviderURL? {
            guard let text = try document.optionalText(name) else { return nil }
            guard let url = ProviderURL(text), url.isSecure || mayBePlain else {
                throw .address(name)
            }
            return url
        }
        func needed(_ name: String) throws(DocumentFault) -> ProviderURL {
            guard let url = try address(name) else { throw .missing(name) }
            return url
        }
        authorizationEndpoint = try needed("authorization_endpoint")
        tokenEndpoint = try needed("token_endpoint")
        keysEndpoint = try needed("jwks_uri")
        userInfoEndpoint = try address("userinfo_endpoint")
        if let types = try document.texts("response_types_supported"), !types.contains("code") {
            throw .nothingUsable("authorization code flow")
        }
        // RFC 8414: left out means that it is not known, and the provider ignores what it knows not.
        if let methods = try document.texts("code_challenge_methods_supported"),
            !methods.contains("S256")
        {
            throw .nothingUsable("code challenge of S256")
        }
        if let names = try document.texts("id_token_signing_alg_values_supported") {
            guard settings.algorithms.contains(where: { names.contains($0.rawValue) }) else {
                throw .nothingUsable("signature algorithm")
            }
        }
        if let methods = try document.texts("token_endpoint_auth_methods_supported") {
            clientAuthentications = methods
        }
        if case .bool(true) = document["authorization_response_iss_parameter_supported"] {
            namesIssuerInAnswers = true
        }
    }

    /// What the configuration says of a provider that has no such document; nil when an address in it
    /// is none.
    package init?(_ settings: OAuth2Settings) {
        guard let authorization = ProviderURL(settings.authorizationEndpoint),
            let token = ProviderURL(settings.tokenEndpoint),
            let userInfo = ProviderURL(settings.userInfoEndpoint)
        else { return nil }
        authorizationEndpoint = authorization
        tokenEndpoint = token
        userInfoEndpoint = userInfo
        // Most such providers know this one, and GitHub documents it first.
        clientAuthentications = ["client_secret_post"]
    }
}
