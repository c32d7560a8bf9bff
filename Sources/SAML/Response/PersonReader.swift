internal import XMLSecurity

/// Reads who an assertion speaks of.
struct PersonReader {
    let service: ServiceProvider
    let provider: IdentityProviderRecord

    private static var valueLimit: Int { 512 }

    func person(
        _ assertion: XMLElement, _ subject: XMLElement
    ) throws(SAMLRefusal) -> SAMLPerson {
        let mapping = service.mapping
        let statements = assertion.children("AttributeStatement", in: SAMLName.assertion)
        let attributes = try Self.attributes(in: statements)
        func first(_ name: String?) -> String { name.flatMap { attributes[$0]?.first } ?? "" }
        let subjectText = try self.subject(subject, attributes)
        return SAMLPerson(
            issuer: provider.entityID, subject: subjectText, userName: first(mapping.userName),
            displayName: first(mapping.displayName), email: first(mapping.email),
            groups: mapping.groups.map { attributes[$0] ?? [] })
    }

    private func subject(
        _ subject: XMLElement, _ attributes: [String: [String]]
    ) throws(SAMLRefusal) -> String {
        let names = subject.children("NameID", in: SAMLName.assertion)
        guard names.count <= 1 else { throw .malformed("NameID") }
        if case .attribute(let name) = service.mapping.subject {
            guard let values = attributes[name], values.count == 1, !values[0].isEmpty else {
                throw .noSubjectAttribute
            }
            return values[0]
        }
        guard let nameID = names.first else { throw .malformed("NameID") }
        let format = nameID.attribute("Format") ?? "unspecified"
        let isStable =
            service.mapping.subject == .persistentNameID
            ? format == SAMLName.persistent : format != SAMLName.transient
        guard isStable else {
            throw .unstableSubject(String(format.split(separator: ":").last?.prefix(40) ?? ""))
        }
        // Core §8.3.7: a persistent name counts between these two only.
        guard nameID.attribute("NameQualifier").map({ $0 == provider.entityID }) ?? true else {
            throw .wrongIssuer
        }
        guard nameID.attribute("SPNameQualifier").map({ $0 == service.entityID }) ?? true else {
            throw .wrongAudience
        }
        let text = try leaf(nameID)
        guard (1...Self.valueLimit).contains(text.utf8.count) else { throw .malformed("NameID") }
        return text
    }

    /// The values of each attribute, in their order. Some providers write one attribute of several values as
    /// several of one name.
    private static func attributes(
        in statements: [XMLElement]
    ) throws(SAMLRefusal) -> [String: [String]] {
        var values: [String: [String]] = [:]
        for statement in statements {
            for attribute in statement.children("Attribute", in: SAMLName.assertion) {
                guard let name = attribute.attribute("Name") else { throw .malformed("Attribute") }
                for value in attribute.children("AttributeValue", in: SAMLName.assertion) {
                    // Values may be structures, which nothing here wants.
                    guard value.children.isEmpty else { continue }
                    let text = trimmed(value.text)
                    guard text.utf8.count <= valueLimit else { throw .malformed("AttributeValue") }
                    values[name, default: []].append(text)
                }
            }
        }
        return values
    }
}
