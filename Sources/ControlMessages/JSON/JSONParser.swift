/// Why bytes are not acceptable JSON. Offsets count bytes from the start.
package enum JSONSyntaxError: Error, Equatable {
    case unexpectedEnd
    case unexpectedByte(offset: Int)
    /// Arrays and objects nested deeper than the limit.
    case tooDeep(offset: Int)
    /// More bytes than the limit.
    case tooLong(byteCount: Int)
}

extension JSON {
    /// How much a reader is ready to take from an unknown sender.
    package struct Limits: Sendable {
        /// Bytes of text.
        package var byteCount: Int
        /// Levels of nested arrays and objects.
        package var depth: Int

        package init(byteCount: Int = 64 << 20, depth: Int = 48) {
            self.byteCount = byteCount
            self.depth = depth
        }
    }

    /// Parses one value with nothing but white space around it.
    ///
    /// Invalid UTF-8 and lone surrogates become U+FFFD, as in Go. Time and memory are linear in the
    /// number of bytes.
    package init(parsing bytes: [UInt8], limits: Limits = Limits()) throws(JSONSyntaxError) {
        guard bytes.count <= limits.byteCount else {
            throw .tooLong(byteCount: bytes.count)
        }
        var parser = JSONParser(bytes: bytes, depthLimit: limits.depth)
        self = try parser.document()
    }
}

private struct JSONParser {
    let bytes: [UInt8]
    let depthLimit: Int
    var position = 0

    init(bytes: [UInt8], depthLimit: Int) {
        self.bytes = bytes
        self.depthLimit = depthLimit
    }

    mutating func document() throws(JSONSyntaxError) -> JSON {
        let result = try value(depth: 0)
        skipSpace()
        guard position == bytes.count else { throw .unexpectedByte(offset: position) }
        return result
    }

    private mutating func value(depth: Int) throws(JSONSyntaxError) -> JSON {
        switch try nextToken() {
        case UInt8(ascii: "{"): return .object(try object(depth: depth + 1))
        case UInt8(ascii: "["): return .array(try array(depth: depth + 1))
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"):
            try literal("true")
            return .bool(true)
        case UInt8(ascii: "f"):
            try literal("false")
            return .bool(false)
        case UInt8(ascii: "n"):
            try literal("null")
            return .null
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            return .number(try number())
        default: throw .unexpectedByte(offset: position)
        }
    }

    private mutating func object(depth: Int) throws(JSONSyntaxError) -> JSONObject {
        guard depth <= depthLimit else { throw .tooDeep(offset: position) }
        position += 1
        var members: [JSONObject.Member] = []
        if try nextToken() == UInt8(ascii: "}") {
            position += 1
            return JSONObject()
        }
        while true {
            guard try nextToken() == UInt8(ascii: "\"") else {
                throw .unexpectedByte(offset: position)
            }
            let name = try string()
            guard try nextToken() == UInt8(ascii: ":") else {
                throw .unexpectedByte(offset: position)
            }
            position += 1
            members.append(JSONObject.Member(name, try value(depth: depth)))
            if try endsList(with: UInt8(ascii: "}")) { return JSONObject(members) }
        }
    }

    private mutating func array(depth: Int) throws(JSONSyntaxError) -> [JSON] {
        guard depth <= depthLimit else { throw .tooDeep(offset: position) }
        position += 1
        var elements: [JSON] = []
        if try nextToken() == UInt8(ascii: "]") {
            position += 1
            return []
        }
        while true {
            elements.append(try value(depth: depth))
            if try endsList(with: UInt8(ascii: "]")) { return elements }
        }
    }

    /// Reads the comma between two elements (false) or the closing bracket (true).
    private mutating func endsList(with bracket: UInt8) throws(JSONSyntaxError) -> Bool {
        let byte = try nextToken()
        guard byte == bracket || byte == UInt8(ascii: ",") else {
            throw .unexpectedByte(offset: position)
        }
        position += 1
        return byte == bracket
    }

    // MARK: Scalars

    private mutating func literal(_ word: StaticString) throws(JSONSyntaxError) {
        for expected in word.description.utf8 {
            guard position < bytes.count else { throw .unexpectedEnd }
            guard bytes[position] == expected else { throw .unexpectedByte(offset: position) }
            position += 1
        }
    }

    private mutating func number() throws(JSONSyntaxError) -> String {
        let start = position
        if bytes[position] == UInt8(ascii: "-") { position += 1 }
        if position < bytes.count, bytes[position] == UInt8(ascii: "0") {
            position += 1
        } else {
            try digits()
        }
        if position < bytes.count, bytes[position] == UInt8(ascii: ".") {
            position += 1
            try digits()
        }
        if position < bytes.count, bytes[position] | 0x20 == UInt8(ascii: "e") {
            position += 1
            if position < bytes.count,
                bytes[position] == UInt8(ascii: "+") || bytes[position] == UInt8(ascii: "-")
            {
                position += 1
            }
            try digits()
        }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private mutating func digits() throws(JSONSyntaxError) {
        let start = position
        while position < bytes.count, (0x30...0x39).contains(bytes[position]) { position += 1 }
        guard position > start else {
            throw position < bytes.count ? .unexpectedByte(offset: position) : .unexpectedEnd
        }
    }

    private mutating func string() throws(JSONSyntaxError) -> String {
        position += 1
        let start = position
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "\""):
                defer { position += 1 }
                return String(decoding: bytes[start..<position], as: UTF8.self)
            case UInt8(ascii: "\\"): return try escapedString(from: start)
            case 0..<0x20: throw .unexpectedByte(offset: position)
            default: position += 1
            }
        }
        throw .unexpectedEnd
    }

    /// The rest of a string in which the first escape was met at `position`.
    private mutating func escapedString(from start: Int) throws(JSONSyntaxError) -> String {
        var text = Array(bytes[start..<position])
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"): try escape(into: &text)
            case 0..<0x20: throw .unexpectedByte(offset: position - 1)
            default: text.append(byte)
            }
        }
        throw .unexpectedEnd
    }

    private mutating func escape(into text: inout [UInt8]) throws(JSONSyntaxError) {
        guard position < bytes.count else { throw .unexpectedEnd }
        let byte = bytes[position]
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"): text.append(contentsOf: String(try codePoint()).utf8)
        default: throw .unexpectedByte(offset: position - 1)
        }
    }

    /// The scalar of `\uXXXX`, whose `\u` is read already, or of a surrogate pair.
    private mutating func codePoint() throws(JSONSyntaxError) -> Character {
        let first = try fourHexDigits()
        if let scalar = Unicode.Scalar(UInt32(first)) { return Character(scalar) }
        let isHigh = first & 0xFC00 == 0xD800
        guard isHigh, position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
            bytes[position + 1] == UInt8(ascii: "u")
        else { return "\u{FFFD}" }
        let mark = position
        position += 2
        let second = try fourHexDigits()
        guard second & 0xFC00 == 0xDC00 else {
            position = mark
            return "\u{FFFD}"
        }
        let value = 0x1_0000 + (UInt32(first) & 0x3FF) << 10 + UInt32(second) & 0x3FF
        return Unicode.Scalar(value).map { Character($0) } ?? "\u{FFFD}"
    }

    private mutating func fourHexDigits() throws(JSONSyntaxError) -> UInt16 {
        var value: UInt16 = 0
        for _ in 0..<4 {
            guard position < bytes.count else { throw .unexpectedEnd }
            let digit: UInt8
            switch bytes[position] {
            case let byte where (0x30...0x39).contains(byte): digit = byte - 0x30
            case let byte where (0x61...0x66).contains(byte | 0x20): digit = (byte | 0x20) - 0x57
            default: throw .unexpectedByte(offset: position)
            }
            value = value << 4 | UInt16(digit)
            position += 1
        }
        return value
    }

    // MARK: Layout

    private mutating func skipSpace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x09, 0x0A, 0x0D: position += 1
            default: return
            }
        }
    }

    /// The first byte of the next token, which is not consumed.
    private mutating func nextToken() throws(JSONSyntaxError) -> UInt8 {
        skipSpace()
        guard position < bytes.count else { throw .unexpectedEnd }
        return bytes[position]
    }
}
