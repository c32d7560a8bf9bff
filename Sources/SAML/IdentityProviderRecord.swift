internal import ControlMessages
package import NetTypes
package import XMLSecurity

/// What an identity provider's metadata says of it.
package struct IdentityProviderRecord: Sendable {
    package var entityID: String
    /// Where requests go, by binding.
    package var redirectURL: String?
    package var postURL: String?
    package var keys: [VerificationKey]
    /// Whether it takes signed requests only.
    package var wantsSignedRequests: Bool
    /// When the metadata is out of date, if they say.
    package var validUntil: Timestamp?

    package enum Fault: Error, Equatable, Sendable {
        case document(XMLFault)
        case notMetadata
        /// There is no such provider among them.
        case unknownEntity(String)
        /// There are several, and none was named.
        case severalEntities
        case notAnIdentityProvider
        case noEntityID
        case noSigningKey
        case badCertificate(XMLFault)
        /// An address that is neither https nor http.
        case badLocation(String)
        case noEndpoint
        case badTime(String)

        package var text: String {
            switch self {
            case .document(let fault): "the metadata cannot be read: \(fault.text)"
            case .notMetadata: "this is no SAML metadata"
            case .unknownEntity(let id): "the metadata does not speak of \(id)"
            case .severalEntities: "the metadata speaks of several providers: set entity_id"
            case .notAnIdentityProvider: "the metadata is not of an identity provider (SAML 2.0)"
            case .noEntityID: "the metadata has no entityID"
            case .noSigningKey: "the metadata has no certificate for signatures"
            case .badCertificate(let fault): "a certificate cannot be used: \(fault.text)"
            case .badLocation(let url): "\(url) is no address for browsers"
            case .noEndpoint: "the metadata names no address for HTTP-Redirect or HTTP-POST"
            case .badTime(let text): "\(text) is no time"
            }
        }
    }

    /// The most certificates that are tried.
    private static var keyLimit: Int { 8 }

    /// Reads metadata that the administrator trusts, whether or not it is signed.
    ///
    /// - Parameter entityID: which provider is meant; nil: the only one.
    package init(metadata: RawSpan, entityID: String? = nil) throws(Fault) {
        let root: XMLElement
        do throws(XMLFault) {
            root = try XMLDocument(metadata, .lenient).root
        } catch {
            throw .document(error)
        }
        let entity = try Self.entity(in: root, entityID)
        guard let id = entity.attribute("entityID"), (1...1024).contains(id.utf8.count) else {
            throw .noEntityID
        }
        let roles = entity.children("IDPSSODescriptor", in: SAMLName.metadata).filter { role in
            (role.attribute("protocolSupportEnumeration") ?? "").split(separator: " ")
                .contains { $0 == SAMLName.protocol }
        }
        guard roles.count == 1 else { throw .notAnIdentityProvider }
        self.entityID = id
        keys = try Self.keys(of: roles[0])
        redirectURL = try Self.location(of: roles[0], SAMLName.redirect)
        postURL = try Self.location(of: roles[0], SAMLName.post)
        guard redirectURL != nil || postURL != nil else { throw .noEndpoint }
        wantsSignedRequests = ["true", "1"].contains(roles[0].attribute("WantAuthnRequestsSigned"))
        for element in [root, entity, roles[0]] {
            guard let time = try Self.time(element.attribute("validUntil")) else { continue }
            validUntil = validUntil.map { min($0, time) } ?? time
        }
    }

    private static func entity(
        in root: XMLElement, _ id: String?
    ) throws(Fault) -> XMLElement {
        if root.is("EntityDescriptor", in: SAMLName.metadata) {
            if let id, root.attribute("entityID") != id { throw .unknownEntity(id) }
            return root
        }
        guard root.is("EntitiesDescriptor", in: SAMLName.metadata) else { throw .notMetadata }
        let all = root.children("EntityDescriptor", in: SAMLName.metadata)
        guard let id else {
            let providers = all.filter {
                !$0.children("IDPSSODescriptor", in: SAMLName.metadata).isEmpty
            }
            guard let first = providers.first else { throw .notAnIdentityProvider }
            guard providers.count == 1 else { throw .severalEntities }
            return first
        }
        let named = all.filter { $0.attribute("entityID") == id }
        guard named.count == 1 else { throw .unknownEntity(id) }
        return named[0]
    }

    private static func keys(of role: XMLElement) throws(Fault) -> [VerificationKey] {
        var keys: [VerificationKey] = []
        for descriptor in role.children("KeyDescriptor", in: SAMLName.metadata)
        where (descriptor.attribute("use") ?? "signing") == "signing" {
            for info in descriptor.children("KeyInfo", in: Namespace.signature) {
                for data in info.children("X509Data", in: Namespace.signature) {
                    for certificate in data.children("X509Certificate", in: Namespace.signature)
                    where keys.count < keyLimit {
                        keys.append(try key(certificate.text))
                    }
                }
            }
        }
        guard !keys.isEmpty else { throw .noSigningKey }
        return keys
    }

    private static func key(_ text: String) throws(Fault) -> VerificationKey {
        guard let der = Base64Bytes.decode(text.filter { !$0.isWhitespace }) else {
            throw .badCertificate(.malformed)
        }
        do throws(XMLFault) {
            return try unsafe VerificationKey(certificate: der.span.bytes)
        } catch {
            throw .badCertificate(error)
        }
    }

    private static func location(
        of role: XMLElement, _ binding: String
    ) throws(Fault) -> String? {
        let service = role.children("SingleSignOnService", in: SAMLName.metadata).first {
            $0.attribute("Binding") == binding
        }
        guard let service else { return nil }
        let url = service.attribute("Location") ?? ""
        let isPlain = url.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "#") }
        guard url.hasPrefix("https://") || url.hasPrefix("http://"), isPlain,
            url.utf8.count <= 1024
        else { throw .badLocation(String(url.prefix(80))) }
        return url
    }

    private static func time(_ text: String?) throws(Fault) -> Timestamp? {
        guard let text else { return nil }
        guard let time = Timestamp(rfc3339: text) else { throw .badTime(String(text.prefix(40))) }
        return time
    }
}
