internal import NetTypes

/// The fixed parts of a STUN message (RFC 8489 §5).
///
/// | bytes | field |
/// |---|---|
/// | 0–1 | message type; its top two bits are zero |
/// | 2–3 | length of the attributes, a multiple of 4 |
/// | 4–7 | magic cookie |
/// | 8–19 | transaction ID |
package enum STUNMessage {
    package static var headerByteCount: Int { 20 }
    package static var magicCookie: UInt32 { 0x2112_A442 }

    static var bindingRequest: UInt16 { 0x0001 }
    static var bindingSuccess: UInt16 { 0x0101 }
    static var bindingError: UInt16 { 0x0111 }

    /// Attributes below 0x8000 must be understood by the receiver.
    enum Attribute {
        static var mappedAddress: UInt16 { 0x0001 }
        static var changeRequest: UInt16 { 0x0003 }
        static var errorCode: UInt16 { 0x0009 }
        static var unknownAttributes: UInt16 { 0x000A }
        static var xorMappedAddress: UInt16 { 0x0020 }
        static var padding: UInt16 { 0x0026 }
        static var responsePort: UInt16 { 0x0027 }
        /// What XOR-MAPPED-ADDRESS was called while RFC 5389 was a draft.
        static var draftXorMappedAddress: UInt16 { 0x8020 }
        static var software: UInt16 { 0x8022 }
        static var fingerprint: UInt16 { 0x8028 }
        static var responseOrigin: UInt16 { 0x802B }
        static var otherAddress: UInt16 { 0x802C }

        /// The attributes of RFC 8489 itself, and those of RFC 3489 that old servers still send. Who
        /// asks nobody to authenticate may pass over those of its credentials.
        static func isGeneral(_ type: UInt16) -> Bool {
            switch type {
            case 0x0001, 0x0004...0x0006, 0x0008...0x000B, 0x0014, 0x0015, 0x001C...0x001E, 0x0020:
                true
            default: false
            }
        }
    }

    /// Whether a datagram is a STUN binding message, request or response, by its first twenty bytes.
    package static func isBinding(_ datagram: RawSpan) -> Bool {
        datagram.byteCount >= headerByteCount && datagram.byte(at: 0) & 0xC0 == 0
            && datagram.byte(at: 1) & 0xEF == 0x01
            && datagram.bigEndian(at: 4, as: UInt32.self) == magicCookie
    }

    /// Why a message is not one we can use.
    package enum ParseError: Error, Equatable, Sendable {
        case truncated(needed: Int, have: Int)
        /// Not STUN: wrong cookie or top bits.
        case notSTUN
        case unexpectedType(UInt16)
        /// The length field disagrees with the datagram, or is no multiple of four.
        case wrongLength(Int)
        case wrongFingerprint
        /// An attribute follows FINGERPRINT, which must be the last.
        case fingerprintNotLast
        case malformedAddress
        case noMappedAddress
        /// An attribute of fixed form has another length.
        case malformedAttribute(UInt16)
        /// A response holds an attribute that must be understood and is not (RFC 8489 §6.3.3).
        case unknownAttribute(UInt16)
    }
}

/// What a CHANGE-REQUEST asks for (RFC 5780 §7.2): an answer from the server's other address, port,
/// or both. Asking for neither is a way to ask whether the server knows the attribute.
package struct STUNChange: OptionSet, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static var port: Self { Self(rawValue: 2) }
    package static var address: Self { Self(rawValue: 4) }
}

/// Ties a response to its request.
package struct STUNTransactionID: Hashable, Sendable, BitwiseCopyable {
    let high: UInt32
    let low: UInt64

    package init(random: inout some RandomNumberGenerator) {
        let word: UInt64 = random.next()
        high = UInt32(truncatingIfNeeded: word)
        low = random.next()
    }

    /// The twelve bytes at `offset`. Traps past the end.
    package init(_ bytes: RawSpan, at offset: Int = 0) {
        high = bytes.bigEndian(at: offset)
        low = bytes.bigEndian(at: offset + 4)
    }
}

/// The attributes of a message whose header has been checked, in order.
struct STUNAttributes: ~Escapable {
    private let message: RawSpan
    private var offset = STUNMessage.headerByteCount

    /// Checks the header against `message`, which must be the whole datagram.
    @_lifetime(copy message)
    init(checking message: RawSpan) throws(STUNMessage.ParseError) {
        guard message.byteCount >= STUNMessage.headerByteCount else {
            throw .truncated(needed: STUNMessage.headerByteCount, have: message.byteCount)
        }
        guard message.byte(at: 0) & 0xC0 == 0,
            message.bigEndian(at: 4, as: UInt32.self) == STUNMessage.magicCookie
        else { throw .notSTUN }
        let length = Int(message.bigEndian(at: 2, as: UInt16.self))
        guard length.isMultiple(of: 4),
            length == message.byteCount - STUNMessage.headerByteCount
        else { throw .wrongLength(length) }
        self.message = message
    }

    /// One attribute: where it starts, its type and where its value lies.
    struct Item {
        let start: Int
        let type: UInt16
        let value: Range<Int>
    }

    mutating func next() throws(STUNMessage.ParseError) -> Item? {
        guard offset < message.byteCount else { return nil }
        // The length is a multiple of four, so at least four bytes are left.
        let count = Int(message.bigEndian(at: offset + 2, as: UInt16.self))
        let padded = (count + 3) & ~3
        let start = offset
        guard start + 4 + padded <= message.byteCount else {
            throw .truncated(needed: 4 + padded, have: message.byteCount - start)
        }
        offset = start + 4 + padded
        return Item(
            start: start, type: message.bigEndian(at: start), value: start + 4..<start + 4 + count)
    }

    /// Checks a FINGERPRINT attribute (RFC 8489 §14.7), which ends the message.
    func checkFingerprint(_ item: Item) throws(STUNMessage.ParseError) {
        guard offset == message.byteCount else { throw .fingerprintNotLast }
        guard item.value.count == 4,
            message.bigEndian(at: item.value.lowerBound, as: UInt32.self)
                == STUNFingerprint.value(of: message.extracting(0..<item.start))
        else { throw .wrongFingerprint }
    }
}

enum STUNFingerprint {
    /// CRC-32 of the message before the attribute, its length field already counting the attribute.
    static func value(of message: RawSpan) -> UInt32 { crc32(message) ^ 0x5354_554E }

    private static let table: [UInt32] = (0..<256).map { (index: UInt32) in
        var value = index
        for _ in 0..<8 { value = value & 1 == 1 ? 0xEDB8_8320 ^ value >> 1 : value >> 1 }
        return value
    }

    /// CRC-32 of ISO 3309, as in Ethernet and zip.
    private static func crc32(_ bytes: RawSpan) -> UInt32 {
        var crc: UInt32 = ~0
        for index in 0..<bytes.byteCount {
            crc = table[Int((crc ^ UInt32(bytes.byte(at: index))) & 0xFF)] ^ crc >> 8
        }
        return ~crc
    }
}
