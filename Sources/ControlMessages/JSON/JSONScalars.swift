package import NetTypes

/// Something that names a member of a map: JSON only has strings there.
package protocol JSONKey: Hashable {
    init?(jsonKey: String)
    var jsonKey: String { get }
}

extension String: JSONKey {
    package init?(jsonKey: String) { self = jsonKey }
    package var jsonKey: String { self }
}
extension Int: JSONKey {
    package init?(jsonKey: String) { self.init(jsonKey) }
    package var jsonKey: String { String(self) }
}

extension String: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        guard case .string(let text) = json else {
            throw MessageDecodingError(.wrongType(expected: "a string"))
        }
        self = text
    }
    package func write(to writer: inout JSONWriter) { writer.string(self) }
    package var isJSONZero: Bool { isEmpty }
}

extension Bool: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        guard case .bool(let value) = json else {
            throw MessageDecodingError(.wrongType(expected: "true or false"))
        }
        self = value
    }
    package func write(to writer: inout JSONWriter) { writer.bool(self) }
    package var isJSONZero: Bool { !self }
}

/// Integers are read from plain digits only: `1e3` and `1.0` are refused, as Go does.
extension JSONReadable where Self: FixedWidthInteger {
    package init(json: JSON) throws(MessageDecodingError) {
        guard case .number(let digits) = json, let value = Self(digits) else {
            throw MessageDecodingError(.wrongType(expected: "an integer in range"))
        }
        self = value
    }
}
extension JSONWritable where Self: FixedWidthInteger {
    package func write(to writer: inout JSONWriter) { writer.number(String(self)) }
    package var isJSONZero: Bool { self == 0 }
}
extension Int: JSONReadable, JSONWritable {}
extension Int64: JSONReadable, JSONWritable {}
extension UInt16: JSONReadable, JSONWritable {}

extension Double: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        guard case .number(let digits) = json, let value = Double(digits), value.isFinite else {
            throw MessageDecodingError(.wrongType(expected: "a number in range"))
        }
        self = value
    }
    /// JSON has no infinities: they are written as null.
    package func write(to writer: inout JSONWriter) {
        if !isFinite {
            writer.null()
        } else if let integer = Int64(exactly: self), integer.magnitude < 1 << 53 {
            writer.number(String(integer))
        } else {
            writer.number(description)
        }
    }
    package var isJSONZero: Bool { self == 0 }
}

extension Array: JSONWritable where Element: JSONWritable {
    package func write(to writer: inout JSONWriter) {
        writer.array { writer in
            for element in self { element.write(to: &writer) }
        }
    }
    package var isJSONZero: Bool { isEmpty }
}

/// Nil is null and is what `omit` leaves out; an empty array inside is kept.
extension Optional: JSONWritable where Wrapped: JSONWritable {
    package func write(to writer: inout JSONWriter) {
        if let self { self.write(to: &writer) } else { writer.null() }
    }
    package var isJSONZero: Bool { self == nil }
}

/// Members are sorted by name, as Go does.
extension Dictionary: JSONWritable where Key: JSONKey, Value: JSONWritable {
    package func write(to writer: inout JSONWriter) {
        let sorted = map { (name: $0.key.jsonKey, value: $0.value) }.sorted { $0.name < $1.name }
        writer.object { writer in
            for (name, value) in sorted { writer.keep(name, value) }
        }
    }
    package var isJSONZero: Bool { isEmpty }
}

extension PublicKey: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        guard let key = Self(try String(json: json)) else {
            throw MessageDecodingError(.unreadable(expected: "a key (\(Kind.textPrefix)…)"))
        }
        self = key
    }
    package func write(to writer: inout JSONWriter) { writer.string(description) }
    package var isJSONZero: Bool { isZero }
}

extension Timestamp: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        guard let time = Self(rfc3339: try String(json: json)) else {
            throw MessageDecodingError(.unreadable(expected: "an RFC 3339 time"))
        }
        self = time
    }
    package func write(to writer: inout JSONWriter) { writer.string(description) }
    package var isJSONZero: Bool { isZero }
}

extension IPPrefix: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        guard let prefix = Self(try String(json: json)) else {
            throw MessageDecodingError(.unreadable(expected: "an address prefix"))
        }
        self = prefix
    }
    package func write(to writer: inout JSONWriter) { writer.string(description) }
}

extension IPAddress: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        guard let address = Self(try String(json: json)) else {
            throw MessageDecodingError(.unreadable(expected: "an IP address"))
        }
        self = address
    }
    package func write(to writer: inout JSONWriter) { writer.string(description) }
}

extension Endpoint: JSONWritable {
    package func write(to writer: inout JSONWriter) { writer.string(description) }
}

extension JSONObject {
    /// A list of `address:port`. Entries we cannot use are left out: Go writes an unset one as ""
    /// and allows zones, which mean nothing on another machine.
    func endpoints(_ name: String) throws(MessageDecodingError) -> [Endpoint]? {
        try optional(name, as: [String].self)?.compactMap { Endpoint($0) }
    }
    /// An address; nil when absent or "", which is how Go writes an unset one.
    func address(_ name: String) throws(MessageDecodingError) -> IPAddress? {
        guard let text = try optional(name, as: String.self), !text.isEmpty else { return nil }
        guard let address = IPAddress(text) else {
            throw MessageDecodingError(path: name, .unreadable(expected: "an IP address"))
        }
        return address
    }
}

/// Bytes that JSON carries as base64 (RFC 4648 §4, padded).
package struct Base64Bytes: Hashable, Sendable, JSONReadable, JSONWritable {
    package var bytes: [UInt8]

    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    package init(json: JSON) throws(MessageDecodingError) {
        guard let bytes = Self.decode(try String(json: json)) else {
            throw MessageDecodingError(.unreadable(expected: "base64"))
        }
        self.bytes = bytes
    }
    package func write(to writer: inout JSONWriter) { writer.string(text) }
    package var isJSONZero: Bool { bytes.isEmpty }

    private static let alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    package var text: String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let padded = Array(group) + Array(repeating: 0, count: 3 - group.count)
            let word = UInt32(padded[0]) << 16 | UInt32(padded[1]) << 8 | UInt32(padded[2])
            for index in 0..<4 {
                text.append(
                    index > group.count
                        ? UInt8(ascii: "=")
                        : Self.alphabet[Int(word >> UInt32(18 - 6 * index) & 63)])
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    package static func decode(_ text: String) -> [UInt8]? {
        let characters = Array(text.utf8)
        guard characters.count.isMultiple(of: 4) else { return nil }
        let padding = characters.suffix(2).count { $0 == UInt8(ascii: "=") }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(characters.count / 4 * 3)
        var word: UInt32 = 0
        for (index, character) in characters.dropLast(padding).enumerated() {
            guard let value = sextet(character) else { return nil }
            word = word << 6 | UInt32(value)
            if index % 4 > 0 {
                bytes.append(UInt8(truncatingIfNeeded: word >> UInt32(6 - 2 * (index % 4))))
            }
        }
        return bytes
    }

    private static func sextet(_ character: UInt8) -> UInt8? {
        switch character {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): character - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): character - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0") + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}
