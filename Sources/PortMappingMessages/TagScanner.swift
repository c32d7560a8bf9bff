/// Reads the tags and texts of a small XML document, one after the other.
///
/// No general XML reader: it knows elements, text, comments and processing instructions, and rejects
/// the rest (document types, and with them entities of one's own; CDATA). Namespaces are cut off
/// names. Bounded in depth and in tokens; it neither recurses nor backtracks.
struct TagScanner {
    enum Token: Equatable {
        case open(String)
        case close(String)
        case text(String)
    }

    static var depthMax: Int { 32 }
    static var tokenCountMax: Int { 8192 }
    static var nameByteCountMax: Int { 64 }
    /// Longer texts than anything we look for are cut.
    static var textByteCountMax: Int { 512 }

    private let bytes: [UInt8]
    private var offset = 0
    private var path: [String] = []
    private var tokenCount = 0
    /// `<name/>` is read as `<name></name>`.
    private var pendingClose: String?

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The next token; nil at the end of the document.
    mutating func next() throws(PortMappingParseError) -> Token? {
        tokenCount += 1
        guard tokenCount <= Self.tokenCountMax else { throw .tooLong(bytes.count) }
        if let name = pendingClose {
            pendingClose = nil
            return try close(name)
        }
        while offset < bytes.count {
            guard bytes[offset] == UInt8(ascii: "<") else {
                let text = takeText()
                if text.isEmpty { continue }
                return .text(text)
            }
            if has("<!--") {
                try skip(past: "-->")
            } else if has("<?") {
                try skip(past: "?>")
            } else if has("<!") {
                throw .malformed
            } else {
                return try takeTag()
            }
        }
        guard path.isEmpty else { throw .malformed }
        return nil
    }

    private mutating func takeText() -> String {
        let start = offset
        while offset < bytes.count, bytes[offset] != UInt8(ascii: "<") { offset += 1 }
        let end = min(offset, start + Self.textByteCountMax)
        let text = String(decoding: bytes[start..<end], as: UTF8.self)
        return Self.unescaped(HTTPHead.trimmed(text[...]))
    }

    private mutating func takeTag() throws(PortMappingParseError) -> Token {
        offset += 1
        let isClosing = offset < bytes.count && bytes[offset] == UInt8(ascii: "/")
        if isClosing { offset += 1 }
        let name = try takeName()
        let isEmpty = try skipAttributes()
        if isClosing { return try close(name) }
        guard path.count < Self.depthMax else { throw .malformed }
        path.append(name)
        if isEmpty { pendingClose = name }
        return .open(name)
    }

    private mutating func close(_ name: String) throws(PortMappingParseError) -> Token {
        guard path.popLast() == name else { throw .malformed }
        return .close(name)
    }

    /// A name without its namespace.
    private mutating func takeName() throws(PortMappingParseError) -> String {
        var start = offset
        while offset < bytes.count, Self.isNameByte(bytes[offset]) {
            if bytes[offset] == UInt8(ascii: ":") { start = offset + 1 }
            offset += 1
        }
        let count = offset - start
        guard count > 0, count <= Self.nameByteCountMax else { throw .malformed }
        return String(decoding: bytes[start..<offset], as: UTF8.self)
    }

    /// Goes behind the `>`; returns whether a `/` stands before it.
    private mutating func skipAttributes() throws(PortMappingParseError) -> Bool {
        var quote: UInt8?
        var previous: UInt8 = 0
        while offset < bytes.count {
            let byte = bytes[offset]
            offset += 1
            if let open = quote {
                if byte == open { quote = nil }
            } else if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
                quote = byte
            } else if byte == UInt8(ascii: ">") {
                return previous == UInt8(ascii: "/")
            } else if byte == UInt8(ascii: "<") {
                throw .malformed
            }
            previous = byte
        }
        throw .malformed
    }

    private func has(_ text: StaticString) -> Bool {
        bytes[offset...].starts(with: Self.bytes(of: text))
    }

    private mutating func skip(past text: StaticString) throws(PortMappingParseError) {
        let wanted = Self.bytes(of: text)
        while offset < bytes.count {
            if bytes[offset...].starts(with: wanted) {
                offset += wanted.count
                return
            }
            offset += 1
        }
        throw .malformed
    }

    private static func bytes(of text: StaticString) -> [UInt8] { Array("\(text)".utf8) }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"),
            UInt8(ascii: "."), UInt8(ascii: ":"):
            true
        default: false
        }
    }

    private static func unescaped(_ text: String) -> String {
        guard text.contains("&") else { return text }
        var result = ""
        var rest = text[...]
        let known = [
            ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&"),
        ]
        while let first = rest.first {
            if first == "&", let (entity, character) = known.first(where: { rest.hasPrefix($0.0) })
            {
                result += character
                rest.removeFirst(entity.count)
            } else {
                result.append(first)
                rest.removeFirst()
            }
        }
        return result
    }

    /// `text` as it may stand between tags.
    static func escaped(_ text: String) -> String {
        var result = ""
        for character in text {
            switch character {
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "&": result += "&amp;"
            default: result.append(character)
            }
        }
        return result
    }
}
