package import NetTypes

/// What the operator set about an identity provider that speaks SAML 2.0.
package struct SAMLSettings: Equatable, Sendable {
    package enum Metadata: Equatable, Sendable {
        case file(String)
        case url(String)
    }

    /// PEM files.
    package struct KeyFiles: Equatable, Sendable {
        package var certificate: String
        package var key: String

        package init(certificate: String, key: String) {
            self.certificate = certificate
            self.key = key
        }
    }

    package var metadata: Metadata
    /// The provider's name in the world. Its people are known by it, so it does not come from metadata that
    /// may change.
    package var entityID: String
    /// This server's own; nil: the address of its metadata.
    package var serviceEntityID: String?
    package var signsRequests = true
    package var requestBinding: RequestBinding?
    package var mapping = AttributeMapping()
    /// Whether an e-mail address that the provider names is one that it has verified.
    package var verifiesEmails = false
    package var clockSkew = Nanoseconds.minutes(2)
    /// Nil: the server's own, which it made.
    package var keyFiles: KeyFiles?
    /// A PEM file with authorities that the certificate of the metadata's address may be of, in place of the
    /// system's.
    package var trustFile: String?

    package init(metadata: Metadata, entityID: String) {
        self.metadata = metadata
        self.entityID = entityID
    }
}
