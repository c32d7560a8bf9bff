/// An element with all that stands in it, as a value.
package struct XMLElement: Equatable, Sendable {
    package struct Attribute: Equatable, Sendable {
        package let name: String
        /// Empty: none.
        package let namespace: String
        package let value: String
    }

    /// Its place among the elements of its document.
    let number: Int
    /// Without a prefix.
    package let name: String
    /// Empty: none.
    package let namespace: String
    package let attributes: [Attribute]
    /// All text that stands directly in it, joined.
    package let text: String
    package private(set) var children: [XMLElement] = []

    /// The value of an attribute that is in no namespace.
    package func attribute(_ name: String) -> String? {
        attributes.first { $0.name == name && $0.namespace.isEmpty }?.value
    }

    package func `is`(_ name: String, in namespace: String) -> Bool {
        self.name == name && self.namespace == namespace
    }

    package func children(_ name: String, in namespace: String) -> [XMLElement] {
        children.filter { $0.is(name, in: namespace) }
    }

    /// Nil when there is none, and when there are several.
    package func onlyChild(_ name: String, in namespace: String) -> XMLElement? {
        let found = children(name, in: namespace)
        return found.count == 1 ? found[0] : nil
    }

    /// How many elements of a name there are, this one included.
    package func count(_ name: String, in namespace: String) -> Int {
        children.reduce(self.is(name, in: namespace) ? 1 : 0) {
            $0 + $1.count(name, in: namespace)
        }
    }

    /// Whether each of its IDs is its own. All spellings count: whoever signs may mean another than we.
    var hasUniqueIDs: Bool {
        var seen: Set<String> = []
        return collectIDs(&seen)
    }

    private func collectIDs(_ seen: inout Set<String>) -> Bool {
        for attribute in attributes
        where attribute.namespace.isEmpty && ["ID", "Id", "id"].contains(attribute.name) {
            guard seen.insert(attribute.value).inserted else { return false }
        }
        for child in children where !child.collectIDs(&seen) { return false }
        return true
    }
}

extension XMLElement {
    /// Reads what `cxmlsec_outline` writes. Nil for anything else.
    init?(outline: [UInt8]) {
        var reader = OutlineReader(bytes: outline)
        guard let root = reader.element(depth: 0), reader.isAtEnd else { return nil }
        self = root
    }

    private struct OutlineReader {
        let bytes: [UInt8]
        var position = 0
        var number = 0

        var isAtEnd: Bool { position == bytes.count }

        private func peek() -> Int? {
            guard bytes.count - position >= 4 else { return nil }
            return (0..<4).reduce(0) { $0 | Int(bytes[position + $1]) << (8 * $1) }
        }

        private mutating func integer() -> Int? {
            guard let value = peek() else { return nil }
            position += 4
            return value
        }

        private mutating func string() -> String? {
            guard let count = integer(), count <= bytes.count - position else { return nil }
            defer { position += count }
            return String(decoding: bytes[position..<position + count], as: UTF8.self)
        }

        mutating func element(depth: Int) -> XMLElement? {
            guard integer() == depth, let count = integer(), let name = string(),
                let namespace = string()
            else { return nil }
            var attributes: [Attribute] = []
            for _ in 0..<count {
                guard let name = string(), let namespace = string(), let value = string() else {
                    return nil
                }
                attributes.append(Attribute(name: name, namespace: namespace, value: value))
            }
            guard let text = string() else { return nil }
            var element = XMLElement(
                number: number, name: name, namespace: namespace, attributes: attributes,
                text: text)
            number += 1
            while peek() == depth + 1 {
                guard let child = self.element(depth: depth + 1) else { return nil }
                element.children.append(child)
            }
            return element
        }
    }
}
