import NetTypes
import OpenIDConnect
import SAML

extension SAMLSettings {
    static let configurationKeys = [
        "metadata_file", "metadata_url", "trust_file", "entity_id", "service_entity_id",
        "sign_requests", "request_binding", "subject", "subject_attribute", "user_attribute",
        "display_name_attribute", "email_attribute", "groups_attribute", "emails_are_verified",
        "clock_skew", "certificate_file", "key_file",
    ]

    init(_ reader: ConfigurationReader) throws(ConfigurationError) {
        guard let entityID = try reader.string("entity_id"),
            (1...1024).contains(entityID.utf8.count)
        else {
            throw reader.wrongType("entity_id", "the provider's entityID, as its metadata says it")
        }
        self.init(metadata: try Self.metadata(reader), entityID: entityID)
        trustFile = try reader.string("trust_file")
        serviceEntityID = try reader.string("service_entity_id")
        signsRequests = try reader.bool("sign_requests") ?? true
        if let text = try reader.string("request_binding") {
            guard let binding = RequestBinding(rawValue: text) else {
                throw reader.error("request_binding", text, "write redirect or post")
            }
            requestBinding = binding
        }
        mapping.subject = try Self.subject(reader)
        mapping.userName = try reader.claimName("user_attribute")
        mapping.displayName = try reader.claimName("display_name_attribute")
        mapping.email = try reader.claimName("email_attribute")
        mapping.groups = try reader.claimName("groups_attribute")
        verifiesEmails = try reader.bool("emails_are_verified") ?? false
        if let skew = try reader.duration("clock_skew") {
            guard skew <= .minutes(10) else {
                throw reader.error("clock_skew", "\(skew.inSeconds) s", "write 0 to 10m")
            }
            clockSkew = skew
        }
        keyFiles = try Self.keyFiles(reader)
    }

    private static func metadata(
        _ reader: ConfigurationReader
    ) throws(ConfigurationError) -> Metadata {
        let file = try reader.string("metadata_file")
        guard let url = try reader.string("metadata_url") else {
            guard let file else {
                throw reader.wrongType("metadata_file", "the path of the provider's metadata")
            }
            guard file.hasPrefix("/") else {
                throw reader.error("metadata_file", file, "write a path that begins with /")
            }
            return .file(file)
        }
        guard file == nil else {
            throw reader.error(
                "metadata_url", url, "there is metadata_file already; leave one out")
        }
        guard url.hasPrefix("https://"), ProviderURL(url) != nil else {
            throw reader.error("metadata_url", url, "write https://HOST/PATH")
        }
        return .url(url)
    }

    private static func subject(
        _ reader: ConfigurationReader
    ) throws(ConfigurationError) -> AttributeMapping.Subject {
        let attribute = try reader.claimName("subject_attribute")
        switch try reader.string("subject") {
        case nil: return attribute.map { .attribute($0) } ?? .persistentNameID
        case let text? where attribute != nil:
            throw reader.error("subject", text, "there is subject_attribute already; leave one out")
        case "persistent": return .persistentNameID
        case "name_id": return .nameID
        case let text?:
            throw reader.error(
                "subject", text, "write persistent or name_id, or set subject_attribute")
        }
    }

    private static func keyFiles(
        _ reader: ConfigurationReader
    ) throws(ConfigurationError) -> KeyFiles? {
        switch (try reader.string("certificate_file"), try reader.string("key_file")) {
        case (nil, nil): return nil
        case (let certificate?, let key?): return KeyFiles(certificate: certificate, key: key)
        case (let certificate?, nil):
            throw reader.error("certificate_file", certificate, "key_file has to be set, too")
        case (nil, let key?):
            throw reader.error("key_file", key, "certificate_file has to be set, too")
        }
    }
}
