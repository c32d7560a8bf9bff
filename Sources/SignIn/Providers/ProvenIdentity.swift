package import Coordination
package import NetTypes

/// Who somebody is, as a provider of identities has proved it: the same for all kinds of providers.
package struct ProvenIdentity: Equatable, Sendable {
    /// Who says so, by a name that is theirs in the whole world (an issuer, an entity ID), and whom
    /// they name: this pair is who somebody is, for ever.
    package var identity: UserIdentity
    /// The provider's name in the configuration, for lists and the audit log.
    package var provider: String
    /// A name to give to a new user, if it is free.
    package var userName: String
    package var displayName: String
    package var email: String
    /// Whether the provider says that the address is theirs.
    package var isEmailVerified: Bool
    /// Nil: the provider tells of no groups, and those set here stay.
    package var groups: [String]?
    /// What was shown to the provider, for the list of sessions: `password`, `OpenID Connect`.
    package var factors: [String]

    /// `issuer` is the provider's name in the world; nil: it has none but that in the configuration.
    package init(
        provider: String, issuer: String? = nil, subject: String, userName: String,
        displayName: String = "", email: String = "", isEmailVerified: Bool = false,
        groups: [String]? = nil, factors: [String]
    ) {
        identity = UserIdentity(provider: issuer ?? provider, subject: subject)
        self.provider = provider
        self.userName = userName
        self.displayName = displayName
        self.email = email
        self.isEmailVerified = isEmailVerified
        self.groups = groups
        self.factors = factors
    }

    /// The provider's name of accounts of this server. No other provider may be called so.
    package static var local: String { "local" }
}

/// What a provider's word is worth.
package struct ProviderRules: Equatable, Sendable {
    /// Whether somebody who is new here becomes a user.
    package var createsUsers: Bool
    package var role: UserRole
    /// Whether a second factor of this server is asked for after the provider's own proof.
    package var needsSecondFactorHere: Bool
    package var admission: ProviderAdmission

    package init(
        createsUsers: Bool, role: UserRole = .member, needsSecondFactorHere: Bool = false,
        admission: ProviderAdmission = ProviderAdmission()
    ) {
        self.createsUsers = createsUsers
        self.role = role
        self.needsSecondFactorHere = needsSecondFactorHere
        self.admission = admission
    }
}

/// The browser that asks, and from where.
package struct Visitor: Equatable, Sendable {
    /// SHA-256 of the cookie that the browser has had since its first visit.
    package var browser: BrowserID
    package var address: IPAddress?
    /// What the browser calls itself.
    package var agent: String

    package init(browser: BrowserID, address: IPAddress?, agent: String = "") {
        self.browser = browser
        self.address = address
        self.agent = agent
    }
}

/// Tells browsers apart: SHA-256 of a cookie of 256 random bits.
package struct BrowserID: Hashable, Sendable {
    package var hash: Bytes32
    package init(_ hash: Bytes32) { self.hash = hash }
}

/// What somebody signs in for, and where they are sent afterwards: never an address that came from
/// outside.
package enum SignInPurpose: Hashable, Sendable {
    /// To let in the machine whose login waits.
    case device(PendingLoginID)
    /// To see their own account and machines.
    case account
}
