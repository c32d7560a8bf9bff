package import SignIn

/// This server as a client of a provider (RFC 6749 §2).
package struct OAuthClient: Equatable, Sendable {
    package enum Authentication: String, Sendable, CaseIterable {
        /// In the header `Authorization` (RFC 6749 §2.3.1).
        case basic
        /// In the body.
        case post
    }

    package var id: String
    /// Nil: a public client, which proves itself by PKCE only.
    package var secret: SecretSource?
    /// Nil: as the provider's discovery document says, else `basic`.
    package var authentication: Authentication?
    package var scopes: [String]
    /// A PEM file with authorities that the provider's certificate may be of, in place of the
    /// system's.
    package var trustFile: String?

    package init(id: String, secret: SecretSource? = nil, scopes: [String]) {
        self.id = id
        self.secret = secret
        self.scopes = scopes
    }
}

/// Where what is known of a person stands in a provider's claims or user information. Empty: nowhere.
package struct ClaimNames: Equatable, Sendable {
    package var subject: String
    package var userName: String
    package var displayName: String
    package var email: String
    package var emailVerified: String
    package var groups: String

    /// The standard claims (OpenID Connect Core §5.1).
    package static var standard: ClaimNames {
        ClaimNames(
            subject: "sub", userName: "preferred_username", displayName: "name", email: "email",
            emailVerified: "email_verified", groups: "groups")
    }

    package init(
        subject: String, userName: String, displayName: String, email: String,
        emailVerified: String, groups: String
    ) {
        self.subject = subject
        self.userName = userName
        self.displayName = displayName
        self.email = email
        self.emailVerified = emailVerified
        self.groups = groups
    }
}

/// A provider that speaks OpenID Connect.
package struct OpenIDSettings: Equatable, Sendable {
    /// As it stands in its tokens, to the letter.
    package var issuer: String
    package var client: OAuthClient
    package var claims = ClaimNames.standard
    /// What its tokens may be signed with.
    package var algorithms = SignatureAlgorithm.allCases
    /// Whether the user-info endpoint is asked for claims that the token does not have.
    package var asksForUserInfo = true

    package init(issuer: String, client: OAuthClient) {
        self.issuer = issuer
        self.client = client
    }
}

/// A provider that speaks OAuth 2 and tells by an interface of its own who somebody is.
package struct OAuth2Settings: Equatable, Sendable {
    package var client: OAuthClient
    package var authorizationEndpoint: String
    package var tokenEndpoint: String
    package var userInfoEndpoint: String
    package var claims: ClaimNames
    /// Whether every e-mail address it tells counts as verified.
    package var verifiesEmails = false

    package init(
        client: OAuthClient, authorizationEndpoint: String, tokenEndpoint: String,
        userInfoEndpoint: String, claims: ClaimNames
    ) {
        self.client = client
        self.authorizationEndpoint = authorizationEndpoint
        self.tokenEndpoint = tokenEndpoint
        self.userInfoEndpoint = userInfoEndpoint
        self.claims = claims
    }
}

/// Signature algorithms of tokens (RFC 7518 §3.1, RFC 8037) that need a public key only. `none` and
/// those with a shared secret are not among them and cannot be configured.
package enum SignatureAlgorithm: String, Equatable, Sendable, CaseIterable {
    case rs256 = "RS256"
    case rs384 = "RS384"
    case rs512 = "RS512"
    case ps256 = "PS256"
    case ps384 = "PS384"
    case ps512 = "PS512"
    case es256 = "ES256"
    case es384 = "ES384"
    case es512 = "ES512"
    case edDSA = "EdDSA"
}
