package import ControlMessages

/// A JSON object of a provider, read to the letter: names match in their own case only, and none
/// comes twice, so that no two readers can understand it differently.
package struct ProviderDocument: Equatable, Sendable {
    /// The longest that is read, in bytes.
    package static var byteLimit: Int { 256 << 10 }

    let members: [String: JSON]

    package init(_ bytes: [UInt8]) throws(DocumentFault) {
        let json: JSON
        do throws(JSONSyntaxError) {
            json = try JSON(
                parsing: bytes, limits: JSON.Limits(byteCount: Self.byteLimit, depth: 16))
        } catch {
            throw .notJSON
        }
        guard let object = json.object else { throw .notJSON }
        var members: [String: JSON] = [:]
        for member in object.members {
            guard members.updateValue(member.value, forKey: member.name) == nil else {
                throw .repeated(Printable.line(member.name, limit: 40))
            }
        }
        self.members = members
    }

    package subscript(name: String) -> JSON? { members[name] }

    /// Nil when it is absent or null.
    func optionalText(_ name: String) throws(DocumentFault) -> String? {
        switch members[name] {
        case nil, .null: return nil
        case .string(let text): return text
        default: throw .wrong(name)
        }
    }

    func text(_ name: String) throws(DocumentFault) -> String {
        guard let text = try optionalText(name) else { throw .missing(name) }
        return text
    }

    func texts(_ name: String) throws(DocumentFault) -> [String]? {
        switch members[name] {
        case nil, .null: return nil
        case .array(let elements):
            let texts = elements.compactMap(\.string)
            guard texts.count == elements.count else { throw .wrong(name) }
            return texts
        default: throw .wrong(name)
        }
    }

    /// What stands at a name; `a.b` is `b` within `a` where nothing is called `a.b`.
    func value(at path: String) -> JSON? {
        if path.isEmpty { return nil }
        if let value = members[path] { return value }
        var parts = path.split(separator: ".").map { String($0) }[...]
        guard parts.count > 1, var value = members[parts.removeFirst()] else { return nil }
        for part in parts {
            guard let inner = value.object?.members.last(where: { $0.name == part }) else {
                return nil
            }
            value = inner.value
        }
        return value
    }
}

/// What is wrong with a document of a provider.
package enum DocumentFault: Error, Equatable, Sendable, CustomStringConvertible {
    case notJSON
    case repeated(String)
    case missing(String)
    case wrong(String)
    /// It speaks for another issuer than the one it was asked for.
    case issuer(String)
    /// An address that this server may not ask.
    case address(String)
    /// Nothing of what it offers may be used here.
    case nothingUsable(String)
    case tooMany(String)

    package var description: String {
        switch self {
        case .notJSON: "it is no JSON object, or too long"
        case .repeated(let name): "it has \(name) twice"
        case .missing(let name): "it has no \(name)"
        case .wrong(let name): "its \(name) makes no sense"
        case .issuer(let other):
            "it is of the issuer \(other); the configuration must name the same, to the letter"
        case .address(let name): "its \(name) is no https address"
        case .nothingUsable(let what): "it offers no \(what) that this server accepts"
        case .tooMany(let what): "it has too many \(what)"
        }
    }
}

/// Texts from outside as they may stand in a line of a log.
package enum Printable {
    package static func line(_ text: String, limit: Int = 200) -> String {
        let scalars = text.unicodeScalars.lazy.filter { (0x20...0x7E).contains($0.value) }
        return String(String.UnicodeScalarView(scalars.prefix(limit)))
    }
}
