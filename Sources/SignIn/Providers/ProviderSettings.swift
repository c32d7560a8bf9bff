import Coordination

/// What the operator chose about a provider of identities, whatever its kind.
package struct ProviderSettings: Equatable, Sendable {
    /// Its name here, and the last part of its addresses: small letters, digits and dashes.
    package var name: String
    /// What its button says.
    package var label: String
    package var rules: ProviderRules

    package init(name: String, label: String = "", rules: ProviderRules) {
        self.name = name
        self.label = label.isEmpty ? name : label
        self.rules = rules
    }

    package static func isName(_ text: String) -> Bool {
        (1...32).contains(text.utf8.count) && text.first != "-" && text.last != "-"
            && text != ProvenIdentity.local
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                    UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }
}

/// Who of a provider's people may sign in. Each list that is not empty has to be satisfied.
package struct ProviderAdmission: Equatable, Sendable {
    /// What stands behind the `@` of an e-mail address that the provider has verified.
    package var domains: [String] = []
    /// Verified e-mail addresses, or subjects.
    package var users: [String] = []
    package var groups: [String] = []

    package init() {}

    /// Whether everybody whom the provider knows may sign in.
    package var isOpen: Bool { domains.isEmpty && users.isEmpty && groups.isEmpty }

    /// Why somebody may not, for the audit log; nil when they may.
    func objection(to proven: ProvenIdentity) -> String? {
        let email = proven.isEmailVerified ? proven.email.lowercased() : ""
        if !domains.isEmpty {
            let parts = email.split(separator: "@", omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty else {
                return "no verified e-mail address, which allowed_domains needs"
            }
            guard domains.contains(where: { $0.lowercased() == parts[1] }) else {
                return "not of an allowed domain"
            }
        }
        if !users.isEmpty {
            let isNamed = users.contains { user in
                user == proven.identity.subject || (!email.isEmpty && user.lowercased() == email)
            }
            guard isNamed else { return "not among the allowed users" }
        }
        if !groups.isEmpty {
            guard let theirs = proven.groups else {
                return "the provider told of no groups, which allowed_groups needs"
            }
            guard theirs.contains(where: { groups.contains($0) }) else {
                return "not in an allowed group"
            }
        }
        return nil
    }
}
