/// A CBOR value (RFC 8949), as far as authenticators use it (CTAP2 canonical form): integers, byte and
/// text strings, arrays, maps, booleans, null. Tags, floating-point numbers, other simple values and
/// strings of unknown length are refused.
package enum CBOR: Equatable, Sendable {
    case integer(Int64)
    case bytes([UInt8])
    case text(String)
    case array([CBOR])
    case map([Entry])
    case bool(Bool)
    case null

    /// A key and its value. No key of a map is there twice.
    package struct Entry: Equatable, Sendable {
        package var key: CBOR
        package var value: CBOR

        package init(_ key: CBOR, _ value: CBOR) {
            self.key = key
            self.value = value
        }
    }

    /// The value of a map under this key; nil when there is none, or this is no map.
    package subscript(key: CBOR) -> CBOR? {
        guard case .map(let entries) = self else { return nil }
        return entries.first { $0.key == key }?.value
    }

    package subscript(name: String) -> CBOR? { self[.text(name)] }
    package subscript(number: Int64) -> CBOR? { self[.integer(number)] }

    package var integer: Int64? { if case .integer(let value) = self { value } else { nil } }
    package var bytes: [UInt8]? { if case .bytes(let value) = self { value } else { nil } }
    package var text: String? { if case .text(let value) = self { value } else { nil } }
    package var entries: [Entry]? { if case .map(let value) = self { value } else { nil } }
}

/// Why bytes are no CBOR that is accepted here.
package enum CBORError: Error, Equatable, Sendable {
    case unexpectedEnd
    /// Bytes behind the value.
    case trailingBytes
    /// More levels or values than the limits allow.
    case tooDeep
    case tooMany
    /// A number that has a shorter form, which a canonical writer uses.
    case notShortest
    /// An integer beyond 64 bits with sign.
    case tooLarge
    case duplicateKey
    case invalidText
    /// A tag, a floating-point number, a simple value or a string of unknown length.
    case unsupported(UInt8)
}

extension CBOR {
    /// What a reader takes from an unknown sender.
    package struct Limits: Sendable {
        /// Levels of arrays and maps, as CTAP2 has it.
        package var depth = 4
        /// Values in all. A value takes at least a byte, so memory is bounded by the input as well.
        package var count = 512
        package init() {}
    }

    /// Reads one value that takes all the bytes.
    package init(parsing bytes: [UInt8], limits: Limits = Limits()) throws(CBORError) {
        var position = 0
        self = try CBOR.read(bytes, at: &position, limits: limits)
        guard position == bytes.count else { throw .trailingBytes }
    }

    /// Reads the value at `position`, and moves it behind.
    package static func read(
        _ bytes: [UInt8], at position: inout Int, limits: Limits = Limits()
    ) throws(CBORError) -> CBOR {
        var reader = CBORReader(bytes: bytes, position: position, left: limits.count)
        let value = try reader.value(depth: limits.depth)
        position = reader.position
        return value
    }
}

private struct CBORReader {
    let bytes: [UInt8]
    var position: Int
    /// How many more values may come.
    var left: Int

    /// - Parameter depth: how many levels of arrays and maps may begin here.
    mutating func value(depth: Int) throws(CBORError) -> CBOR {
        guard left > 0 else { throw .tooMany }
        left -= 1
        let first = try byte()
        let major = first >> 5
        guard major != 7 else { return try simple(first) }
        guard major != 6 else { throw .unsupported(first) }
        let argument = try argument(first)
        switch major {
        case 0, 1:
            guard let value = Int64(exactly: argument) else { throw .tooLarge }
            return .integer(major == 0 ? value : -1 - value)
        case 2: return .bytes(try take(argument))
        case 3:
            guard let text = String(validating: try take(argument), as: UTF8.self) else {
                throw .invalidText
            }
            return .text(text)
        case 4: return .array(try array(argument, depth: depth))
        default: return .map(try map(argument, depth: depth))
        }
    }

    private mutating func array(_ count: UInt64, depth: Int) throws(CBORError) -> [CBOR] {
        guard depth > 0 else { throw .tooDeep }
        guard count <= UInt64(left) else { throw .tooMany }
        var elements: [CBOR] = []
        for _ in 0..<count { elements.append(try value(depth: depth - 1)) }
        return elements
    }

    private mutating func map(_ count: UInt64, depth: Int) throws(CBORError) -> [CBOR.Entry] {
        guard depth > 0 else { throw .tooDeep }
        guard count <= UInt64(left / 2) else { throw .tooMany }
        var entries: [CBOR.Entry] = []
        for _ in 0..<count {
            let key = try value(depth: depth - 1)
            guard !entries.contains(where: { $0.key == key }) else { throw .duplicateKey }
            entries.append(CBOR.Entry(key, try value(depth: depth - 1)))
        }
        return entries
    }

    private func simple(_ first: UInt8) throws(CBORError) -> CBOR {
        switch first {
        case 0xF4: .bool(false)
        case 0xF5: .bool(true)
        case 0xF6: .null
        default: throw .unsupported(first)
        }
    }

    /// The number in the first byte or behind it, in its shortest form (RFC 8949 §4.2.1).
    private mutating func argument(_ first: UInt8) throws(CBORError) -> UInt64 {
        let short = first & 31
        guard short >= 24 else { return UInt64(short) }
        guard short <= 27 else { throw .unsupported(first) }
        let count = 1 << Int(short - 24)
        var value: UInt64 = 0
        for _ in 0..<count { value = value << 8 | UInt64(try byte()) }
        let least: UInt64 = short == 24 ? 24 : 1 << UInt64(count * 4)
        guard value >= least else { throw .notShortest }
        return value
    }

    private mutating func byte() throws(CBORError) -> UInt8 {
        guard position < bytes.count else { throw .unexpectedEnd }
        defer { position += 1 }
        return bytes[position]
    }

    private mutating func take(_ count: UInt64) throws(CBORError) -> [UInt8] {
        guard count <= UInt64(bytes.count - position) else { throw .unexpectedEnd }
        let end = position + Int(count)
        defer { position = end }
        return Array(bytes[position..<end])
    }
}
