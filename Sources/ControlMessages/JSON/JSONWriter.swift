/// Appends compact JSON to a buffer, without building a tree of values first.
package struct JSONWriter {
    package private(set) var bytes: [UInt8] = []
    private var needsComma = false

    package init(reservingCapacity capacity: Int = 0) { bytes.reserveCapacity(capacity) }

    /// Writes an object whose members `body` adds with `keep` and `omit`.
    package mutating func object(_ body: (inout JSONWriter) -> Void) {
        separate()
        bytes.append(UInt8(ascii: "{"))
        needsComma = false
        body(&self)
        bytes.append(UInt8(ascii: "}"))
        needsComma = true
    }

    /// Writes an array whose elements `body` adds.
    package mutating func array(_ body: (inout JSONWriter) -> Void) {
        separate()
        bytes.append(UInt8(ascii: "["))
        needsComma = false
        body(&self)
        bytes.append(UInt8(ascii: "]"))
        needsComma = true
    }

    /// A member that is written whatever its value.
    package mutating func keep(_ name: String, _ value: some JSONWritable) {
        key(name)
        value.write(to: &self)
    }

    /// A member that is left out when its value is zero, as Go's `omitempty` and `omitzero` do.
    package mutating func omit(_ name: String, _ value: some JSONWritable) {
        if !value.isJSONZero { keep(name, value) }
    }

    /// The name of a member whose value is written next.
    package mutating func key(_ name: String) {
        separate()
        quote(name)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    package mutating func null() { verbatim("null") }
    package mutating func bool(_ value: Bool) { verbatim(value ? "true" : "false") }
    package mutating func number(_ digits: String) { verbatim(digits) }

    package mutating func string(_ text: String) {
        separate()
        quote(text)
        needsComma = true
    }

    private mutating func verbatim(_ text: String) {
        separate()
        bytes.append(contentsOf: text.utf8)
        needsComma = true
    }

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
    }

    private mutating func quote(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case 0..<0x20:
                bytes.append(contentsOf: "\\u00".utf8)
                bytes.append(hexDigit(byte >> 4))
                bytes.append(hexDigit(byte & 15))
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private func hexDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }
}

/// A value with a JSON form.
package protocol JSONWritable {
    func write(to writer: inout JSONWriter)
    /// Whether `omit` leaves it out.
    var isJSONZero: Bool { get }
}

extension JSONWritable {
    package var isJSONZero: Bool { false }

    /// The value as compact JSON text.
    package var jsonBytes: [UInt8] {
        var writer = JSONWriter()
        write(to: &writer)
        return writer.bytes
    }
}

extension JSON: JSONWritable {
    package func write(to writer: inout JSONWriter) {
        switch self {
        case .null: writer.null()
        case .bool(let value): writer.bool(value)
        case .number(let digits): writer.number(digits)
        case .string(let text): writer.string(text)
        case .array(let elements): elements.write(to: &writer)
        case .object(let object): object.write(to: &writer)
        }
    }
}

extension JSONObject: JSONWritable {
    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            for member in members { writer.keep(member.name, member.value) }
        }
    }
}
