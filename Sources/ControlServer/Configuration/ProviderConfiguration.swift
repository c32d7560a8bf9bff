import Coordination
import NetTypes
package import OpenIDConnect
package import SAML
package import SignIn
import TOMLKit

/// One `[[providers]]`.
package struct ProviderConfiguration: Equatable, Sendable {
    package var settings: ProviderSettings
    package var method: Method

    package enum Method: Equatable, Sendable {
        case openID(OpenIDSettings)
        case oauth2(OAuth2Settings)
        case saml(SAMLSettings)
    }

    package init(_ settings: ProviderSettings, _ method: Method) {
        self.settings = settings
        self.method = method
    }

    /// The value of `type`, and the keys that go with it.
    private enum Kind: String, CaseIterable {
        case oidc, oauth2, saml

        var keys: [String] {
            switch self {
            case .oidc: OpenIDSettings.configurationKeys
            case .oauth2: OAuth2Settings.configurationKeys
            case .saml: SAMLSettings.configurationKeys
            }
        }
    }

    private static let commonKeys = [
        "name", "type", "label", "create_users", "role", "require_second_factor",
        "allowed_domains", "allowed_users", "allowed_groups",
    ]

    /// The most that one page offers.
    private static var limit: Int { 16 }

    static func all(
        _ reader: ConfigurationReader
    ) throws(ConfigurationError) -> [ProviderConfiguration] {
        let allKeys = Set(commonKeys + Kind.allCases.flatMap(\.keys)).sorted()
        var providers: [ProviderConfiguration] = []
        for table in try reader.tables("providers", keys: allKeys) {
            let provider = try ProviderConfiguration(table)
            guard !providers.contains(where: { $0.settings.name == provider.settings.name }) else {
                throw table.error(
                    "name", provider.settings.name, "another provider has this name")
            }
            guard providers.count < limit else {
                throw table.error(
                    "name", provider.settings.name, "there can be \(limit) providers")
            }
            providers.append(provider)
        }
        return providers
    }

    private init(_ reader: ConfigurationReader) throws(ConfigurationError) {
        let types = Kind.allCases.map(\.rawValue).joined(separator: ", ")
        guard let type = try reader.string("type") else {
            throw reader.wrongType("type", "one of: \(types)")
        }
        guard let kind = Kind(rawValue: type) else {
            throw reader.error("type", type, "write one of: \(types)")
        }
        try reader.refuseKeys(notAmong: Self.commonKeys + kind.keys)
        settings = try ProviderSettings(reader)
        switch kind {
        case .oidc: method = .openID(try OpenIDSettings(reader))
        case .oauth2: method = .oauth2(try OAuth2Settings(reader))
        case .saml: method = .saml(try SAMLSettings(reader))
        }
    }
}

extension ProviderSettings {
    fileprivate init(_ reader: ConfigurationReader) throws(ConfigurationError) {
        guard let name = try reader.string("name"), ProviderSettings.isName(name) else {
            throw reader.wrongType(
                "name", "1 to 32 small letters, digits and dashes, and not local")
        }
        let label = try reader.string("label") ?? name
        guard (1...64).contains(label.count) else {
            throw reader.error("label", label, "write 1 to 64 characters")
        }
        var role = UserRole.member
        if let text = try reader.string("role") {
            guard let named = UserRole(rawValue: text), named != .owner else {
                throw reader.error(
                    "role", text,
                    "write member, operator, auditor or admin; owners are made by command")
            }
            role = named
        }
        var admission = ProviderAdmission()
        admission.domains = try reader.strings("allowed_domains") ?? []
        for domain in admission.domains {
            guard domain.contains("."), !domain.contains("@"), !domain.contains("*") else {
                throw reader.error("allowed_domains", domain, "write domains such as example.org")
            }
        }
        admission.users = try reader.strings("allowed_users") ?? []
        admission.groups = try reader.strings("allowed_groups") ?? []
        self.init(
            name: name, label: label,
            rules: ProviderRules(
                createsUsers: try reader.bool("create_users") ?? false, role: role,
                needsSecondFactorHere: try reader.bool("require_second_factor") ?? false,
                admission: admission))
    }
}

extension ConfigurationReader {
    /// Refuses keys that belong to another type of table.
    func refuseKeys(notAmong known: [String]) throws(ConfigurationError) {
        for key in table.keys where !known.contains(key) {
            throw unknown(prefix + key, key, among: known)
        }
    }
}
