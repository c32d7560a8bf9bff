internal import ControlMessages
internal import SignIn

/// Who somebody is, read from claims or user information.
package struct Person: Equatable, Sendable {
    package var subject: String
    package var userName = ""
    package var displayName = ""
    package var email = ""
    package var isEmailVerified = false
    package var groups: [String]?

    private static var textLimit: Int { 255 }
    private static var groupLimit: Int { 256 }

    /// At most 255 bytes of printable ASCII or of other letters, without controls.
    static func isSubject(_ text: String) -> Bool {
        (1...textLimit).contains(text.utf8.count)
            && text.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
    }

    /// Nil when it names nobody. A subject that is a number counts as its digits.
    package init?(_ document: ProviderDocument, _ names: ClaimNames) {
        switch document.value(at: names.subject) {
        case .string(let text): subject = text
        case .number(let digits) where digits.utf8.allSatisfy { (0x30...0x39).contains($0) }:
            subject = digits
        default: return nil
        }
        guard Self.isSubject(subject) else { return nil }
        userName = Self.text(document, names.userName)
        displayName = Self.text(document, names.displayName)
        email = Self.text(document, names.email)
        switch document.value(at: names.emailVerified) {
        case .bool(let isVerified): isEmailVerified = isVerified
        case .string(let text): isEmailVerified = text == "true"
        default: break
        }
        switch document.value(at: names.groups) {
        case .array(let elements):
            groups = elements.prefix(Self.groupLimit).compactMap(\.string)
                .filter { (1...Self.textLimit).contains($0.utf8.count) }
        case .string(let one) where (1...Self.textLimit).contains(one.utf8.count): groups = [one]
        default: break
        }
    }

    private static func text(_ document: ProviderDocument, _ name: String) -> String {
        guard let text = document.value(at: name)?.string, text.utf8.count <= textLimit else {
            return ""
        }
        return text
    }

    /// Takes over from `other`, which speaks of the same subject, what is not known yet.
    mutating func complete(from other: Person) {
        if userName.isEmpty { userName = other.userName }
        if displayName.isEmpty { displayName = other.displayName }
        // An address and whether it is verified belong together.
        if email.isEmpty {
            email = other.email
            isEmailVerified = other.isEmailVerified
        } else if email == other.email, other.isEmailVerified {
            isEmailVerified = true
        }
        if groups == nil { groups = other.groups }
    }

    func proven(by provider: String, issuer: String, factor: String) -> ProvenIdentity {
        let name = [userName, email, subject].first { !$0.isEmpty } ?? subject
        return ProvenIdentity(
            provider: provider, issuer: issuer, subject: subject, userName: name,
            displayName: displayName, email: email, isEmailVerified: isEmailVerified,
            groups: groups, factors: [factor])
    }
}
