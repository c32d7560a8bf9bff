import NetTypes

// Netlink numbers are in the byte order of the machine; all we build for are little-endian.
#if _endian(big)
    #error("netlink numbers are read as little-endian")
#endif

/// Why bytes are no netlink message.
package enum NetlinkError: Error, Equatable, Sendable {
    case truncated(needed: Int, have: Int)
    /// A length that is shorter than its own header or longer than what follows.
    case badLength(Int)
    /// An address family, or a length of an address, that is not IPv4's or IPv6's.
    case badAddress
}

/// What a netlink message is about (rtnetlink(7)).
package struct NetlinkType: RawRepresentable, Hashable, Sendable {
    package var rawValue: UInt16
    package init(rawValue: UInt16) { self.rawValue = rawValue }

    package static var noOperation: Self { Self(rawValue: 1) }
    package static var error: Self { Self(rawValue: 2) }
    package static var done: Self { Self(rawValue: 3) }
    package static var overrun: Self { Self(rawValue: 4) }
    package static var newLink: Self { Self(rawValue: 16) }
    package static var deleteLink: Self { Self(rawValue: 17) }
    package static var getLink: Self { Self(rawValue: 18) }
    package static var newAddress: Self { Self(rawValue: 20) }
    package static var deleteAddress: Self { Self(rawValue: 21) }
    package static var getAddress: Self { Self(rawValue: 22) }
    package static var newRoute: Self { Self(rawValue: 24) }
    package static var deleteRoute: Self { Self(rawValue: 25) }
    package static var getRoute: Self { Self(rawValue: 26) }
    package static var newRule: Self { Self(rawValue: 32) }
    package static var deleteRule: Self { Self(rawValue: 33) }
    package static var getRule: Self { Self(rawValue: 34) }
}

/// The flags of a netlink header.
package struct NetlinkFlags: OptionSet, Hashable, Sendable {
    package let rawValue: UInt16
    package init(rawValue: UInt16) { self.rawValue = rawValue }

    package static var request: Self { Self(rawValue: 0x1) }
    /// One of several messages that end with `done`.
    package static var multipart: Self { Self(rawValue: 0x2) }
    package static var acknowledge: Self { Self(rawValue: 0x4) }
    /// What was dumped changed meanwhile: ask again.
    package static var dumpInterrupted: Self { Self(rawValue: 0x10) }
    package static var dump: Self { Self(rawValue: 0x300) }
    package static var replace: Self { Self(rawValue: 0x100) }
    package static var exclusive: Self { Self(rawValue: 0x200) }
    package static var create: Self { Self(rawValue: 0x400) }
}

/// A view of one netlink message (netlink(7)):
///
///     length u32 | type u16 | flags u16 | sequence u32 | port u32 | payload, padded to 4 bytes
package struct NetlinkMessage: ~Escapable {
    package let type: NetlinkType
    package let flags: NetlinkFlags
    /// Of the request this answers; 0 for what the kernel tells of its own accord.
    package let sequence: UInt32
    package let payload: RawSpan

    package static var headerByteCount: Int { 16 }

    @_lifetime(copy bytes)
    fileprivate init(_ bytes: RawSpan, length: Int) {
        type = NetlinkType(rawValue: bytes.littleEndian(at: 4))
        flags = NetlinkFlags(rawValue: bytes.littleEndian(at: 6))
        sequence = bytes.littleEndian(at: 8)
        payload = bytes.extracting(Self.headerByteCount..<length)
    }

    /// The `errno` of an `error` or `done` message; 0 is an acknowledgement. Nil for other types.
    package var errorCode: Int32? {
        switch type {
        case .error: payload.byteCount >= 4 ? -payload.errorNumber : nil
        case .done: payload.byteCount >= 4 ? -payload.errorNumber : 0
        default: nil
        }
    }
}

extension RawSpan {
    /// Never the one value whose negation does not exist.
    fileprivate var errorNumber: Int32 { max(littleEndian(at: 0), -Int32.max) }
}

/// Takes the messages out of a datagram one after the other.
package struct NetlinkReader: ~Escapable {
    private let bytes: RawSpan
    private var offset = 0

    @_lifetime(copy bytes)
    package init(_ bytes: RawSpan) { self.bytes = bytes }

    /// Nil at the end. After an error there is no way to find the next message.
    @_lifetime(copy self)
    package mutating func next() throws(NetlinkError) -> NetlinkMessage? {
        let left = bytes.byteCount - offset
        if left == 0 { return nil }
        guard left >= NetlinkMessage.headerByteCount else {
            throw .truncated(needed: NetlinkMessage.headerByteCount, have: left)
        }
        let length = Int(bytes.littleEndian(at: offset, as: UInt32.self))
        guard length >= NetlinkMessage.headerByteCount, length <= left else {
            throw .badLength(length)
        }
        let message = NetlinkMessage(bytes.extracting(offset..<offset + length), length: length)
        offset = min(bytes.byteCount, offset + (length + 3) & ~3)
        return message
    }
}
