/// A JSON value (RFC 8259) as it was received: order of members, duplicate names and the digits of
/// numbers are kept, so that what we do not understand can be passed on unchanged.
package enum JSON: Equatable, Sendable {
    case null
    case bool(Bool)
    /// The digits as written, such as `1`, `-0.5` or `6e-4`.
    case number(String)
    case string(String)
    case array([JSON])
    case object(JSONObject)

    package static func integer(_ value: some BinaryInteger) -> JSON { .number(String(value)) }

    /// Nil unless this is an object.
    package var object: JSONObject? {
        if case .object(let object) = self { object } else { nil }
    }
    /// Nil unless this is a string.
    package var string: String? {
        if case .string(let text) = self { text } else { nil }
    }
    /// Nil unless this is an array.
    package var array: [JSON]? {
        if case .array(let elements) = self { elements } else { nil }
    }

    /// The same value with the members of every object sorted by name: equal canonical values mean
    /// the same to a reader that ignores order.
    package var canonical: JSON {
        switch self {
        case .null, .bool, .number, .string: self
        case .array(let elements): .array(elements.map(\.canonical))
        case .object(let object):
            .object(
                JSONObject(
                    object.members
                        .map { JSONObject.Member($0.name, $0.value.canonical) }
                        .sorted { $0.name < $1.name }))
        }
    }
}

/// The members of a JSON object in the order in which they were written.
package struct JSONObject: Equatable, Sendable {
    package struct Member: Equatable, Sendable {
        package var name: String
        package var value: JSON

        package init(_ name: String, _ value: JSON) {
            self.name = name
            self.value = value
        }
    }

    package var members: [Member]

    package init(_ members: [Member] = []) { self.members = members }

    /// The value of the member called `name`. Of several the last counts; one spelt with other
    /// ASCII case counts when none is spelt exactly so, as Go's decoder has it.
    ///
    /// Setting replaces every spelling; setting nil removes it.
    package subscript(name: String) -> JSON? {
        get {
            if let exact = members.last(where: { $0.name == name }) { return exact.value }
            return members.last(where: { equalIgnoringASCIICase($0.name, name) })?.value
        }
        set {
            let position = members.firstIndex { equalIgnoringASCIICase($0.name, name) }
            guard let newValue else {
                members.removeAll { equalIgnoringASCIICase($0.name, name) }
                return
            }
            guard let position else {
                members.append(Member(name, newValue))
                return
            }
            members[position] = Member(name, newValue)
            let others = members.indices.dropFirst(position + 1).filter {
                equalIgnoringASCIICase(members[$0].name, name)
            }
            for index in others.reversed() { members.remove(at: index) }
        }
    }
}

/// Whether two texts differ at most in the case of ASCII letters.
func equalIgnoringASCIICase(_ left: String, _ right: String) -> Bool {
    let left = left.utf8
    let right = right.utf8
    guard left.count == right.count else { return false }
    return zip(left, right).allSatisfy { lowercaseASCII($0) == lowercaseASCII($1) }
}

private func lowercaseASCII(_ byte: UInt8) -> UInt8 {
    (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
}
