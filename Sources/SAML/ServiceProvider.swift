package import NetTypes
package import XMLSecurity

/// What this server is to one identity provider, and what it wants of it.
package struct ServiceProvider: Sendable {
    /// This server's own name.
    package var entityID: String
    /// Where responses are posted to: the assertion consumer service.
    package var responseURL: String
    /// Signs requests and decrypts assertions.
    package var identity: SigningIdentity
    package var signsRequests: Bool
    /// Nil: what the provider has, redirect first.
    package var requestBinding: RequestBinding?
    package var mapping: AttributeMapping
    /// How far the provider's clock may be from ours, either way.
    package var clockSkew: Nanoseconds

    package init(
        entityID: String, responseURL: String, identity: SigningIdentity,
        signsRequests: Bool = true, requestBinding: RequestBinding? = nil,
        mapping: AttributeMapping = AttributeMapping(), clockSkew: Nanoseconds = .minutes(2)
    ) {
        self.entityID = entityID
        self.responseURL = responseURL
        self.identity = identity
        self.signsRequests = signsRequests
        self.requestBinding = requestBinding
        self.mapping = mapping
        self.clockSkew = clockSkew
    }
}

/// How a request gets to the provider.
package enum RequestBinding: String, CaseIterable, Sendable {
    case redirect, post
}

/// What in an assertion says who somebody is.
package struct AttributeMapping: Equatable, Sendable {
    /// What stays the same for a person for ever.
    package enum Subject: Equatable, Sendable {
        /// A NameID of the persistent format.
        case persistentNameID
        /// A NameID of any format but the transient one: only as stable as the provider makes it.
        case nameID
        /// The one value of an attribute.
        case attribute(String)
    }

    package var subject = Subject.persistentNameID
    /// Names of attributes; nil: not looked for.
    package var userName: String?
    package var displayName: String?
    package var email: String?
    package var groups: String?

    package init() {}
}

/// Whom an assertion speaks of.
package struct SAMLPerson: Equatable, Sendable {
    /// The identity provider's entity ID.
    package var issuer: String
    package var subject: String
    /// Empty: the provider told of none.
    package var userName: String
    package var displayName: String
    package var email: String
    /// Nil: no attribute is configured for them.
    package var groups: [String]?

    package init(
        issuer: String, subject: String, userName: String = "", displayName: String = "",
        email: String = "", groups: [String]? = nil
    ) {
        self.issuer = issuer
        self.subject = subject
        self.userName = userName
        self.displayName = displayName
        self.email = email
        self.groups = groups
    }
}
