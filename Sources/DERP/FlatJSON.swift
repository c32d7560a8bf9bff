/// Reads the scalar fields of one JSON object (RFC 8259), which is all the login of DERP needs.
/// Nested values are checked and skipped.
enum FlatJSON {
    enum Value: Equatable {
        case string(String)
        case number(Double)
        case boolean(Bool)
        case null
        case nested

        var string: String? { if case .string(let text) = self { text } else { nil } }
        var boolean: Bool? { if case .boolean(let flag) = self { flag } else { nil } }
        /// A number without fraction that fits.
        var integer: Int? {
            if case .number(let number) = self { Int(exactly: number) } else { nil }
        }
    }

    /// Objects and arrays deeper than this are refused.
    static var depthMax: Int { 16 }
    static var fieldCountMax: Int { 64 }

    /// Nil when the text is no object, is nested too deeply or has too many fields. Of fields with
    /// the same name the last one counts, as for the peers' own parser.
    static func parse(_ text: [UInt8]) -> [String: Value]? {
        var scanner = Scanner(text: text)
        guard scanner.skip(UInt8(ascii: "{")) else { return nil }
        var fields: [String: Value] = [:]
        if scanner.skip(UInt8(ascii: "}")) { return scanner.isAtEnd ? fields : nil }
        while true {
            guard let name = scanner.string(), scanner.skip(UInt8(ascii: ":")),
                let value = scanner.value(depth: 1)
            else { return nil }
            fields[name] = value
            guard fields.count <= fieldCountMax else { return nil }
            if scanner.skip(UInt8(ascii: ",")) { continue }
            return scanner.skip(UInt8(ascii: "}")) && scanner.isAtEnd ? fields : nil
        }
    }

    private struct Scanner {
        let text: [UInt8]
        var offset = 0

        init(text: [UInt8]) { self.text = text }

        var isAtEnd: Bool {
            mutating get {
                skipSpace()
                return offset == text.count
            }
        }

        mutating func skipSpace() {
            while offset < text.count, [0x20, 0x09, 0x0A, 0x0D].contains(text[offset]) {
                offset += 1
            }
        }

        /// Steps over `character`, if it comes next after white space.
        mutating func skip(_ character: UInt8) -> Bool {
            skipSpace()
            guard offset < text.count, text[offset] == character else { return false }
            offset += 1
            return true
        }

        mutating func skip(word: StaticString) -> Bool {
            let count = word.utf8CodeUnitCount
            guard text.count - offset >= count,
                "\(word)".utf8.elementsEqual(text[offset..<offset + count])
            else { return false }
            offset += count
            return true
        }

        mutating func value(depth: Int) -> Value? {
            guard depth <= FlatJSON.depthMax else { return nil }
            skipSpace()
            guard offset < text.count else { return nil }
            switch text[offset] {
            case UInt8(ascii: "\""): return string().map { .string($0) }
            case UInt8(ascii: "{"): return skipObject(depth: depth) ? .nested : nil
            case UInt8(ascii: "["): return skipArray(depth: depth) ? .nested : nil
            case UInt8(ascii: "t"): return skip(word: "true") ? .boolean(true) : nil
            case UInt8(ascii: "f"): return skip(word: "false") ? .boolean(false) : nil
            case UInt8(ascii: "n"): return skip(word: "null") ? .null : nil
            default: return number()
            }
        }

        private mutating func skipObject(depth: Int) -> Bool {
            offset += 1
            if skip(UInt8(ascii: "}")) { return true }
            while true {
                guard string() != nil, skip(UInt8(ascii: ":")), value(depth: depth + 1) != nil
                else { return false }
                if skip(UInt8(ascii: ",")) { continue }
                return skip(UInt8(ascii: "}"))
            }
        }

        private mutating func skipArray(depth: Int) -> Bool {
            offset += 1
            if skip(UInt8(ascii: "]")) { return true }
            while true {
                guard value(depth: depth + 1) != nil else { return false }
                if skip(UInt8(ascii: ",")) { continue }
                return skip(UInt8(ascii: "]"))
            }
        }

        private mutating func number() -> Value? {
            let start = offset
            while offset < text.count,
                (0x30...0x39).contains(text[offset]) || "+-.eE".utf8.contains(text[offset])
            {
                offset += 1
            }
            guard (1...64).contains(offset - start) else { return nil }
            return Double(String(decoding: text[start..<offset], as: UTF8.self)).map { .number($0) }
        }

        mutating func string() -> String? {
            guard skip(UInt8(ascii: "\"")) else { return nil }
            var bytes: [UInt8] = []
            while offset < text.count {
                let byte = text[offset]
                offset += 1
                switch byte {
                case UInt8(ascii: "\""): return String(decoding: bytes, as: UTF8.self)
                case UInt8(ascii: "\\"):
                    guard let scalar = escape() else { return nil }
                    bytes.append(contentsOf: String(scalar).utf8)
                case 0..<0x20: return nil
                default: bytes.append(byte)
                }
            }
            return nil
        }

        private mutating func escape() -> Unicode.Scalar? {
            guard offset < text.count else { return nil }
            let letter = text[offset]
            offset += 1
            switch letter {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"):
                return Unicode.Scalar(letter)
            case UInt8(ascii: "b"): return "\u{8}"
            case UInt8(ascii: "f"): return "\u{C}"
            case UInt8(ascii: "n"): return "\n"
            case UInt8(ascii: "r"): return "\r"
            case UInt8(ascii: "t"): return "\t"
            case UInt8(ascii: "u"): return unicodeEscape()
            default: return nil
            }
        }

        /// A surrogate, paired or not, becomes U+FFFD: no field of the login needs one.
        private mutating func unicodeEscape() -> Unicode.Scalar? {
            guard text.count - offset >= 4 else { return nil }
            var value: UInt32 = 0
            for digit in text[offset..<offset + 4] {
                guard let digit = Character(Unicode.Scalar(digit)).hexDigitValue else { return nil }
                value = value << 4 | UInt32(digit)
            }
            offset += 4
            return Unicode.Scalar(value) ?? "\u{FFFD}"
        }
    }
}
