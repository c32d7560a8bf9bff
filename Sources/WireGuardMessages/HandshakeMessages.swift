package import NetTypes

/// The first message of a handshake.
///
/// | bytes | 0–3 | 4–7 | 8–39 | 40–87 | 88–115 | 116–131 | 132–147 |
/// |---|---|---|---|---|---|---|---|
/// | | type | sender index | ephemeral key | sealed static key | sealed timestamp | mac1 | mac2 |
package struct InitiationMessage: ~Escapable {
    package static var byteCount: Int { 148 }

    private let bytes: RawSpan

    /// Traps unless `MessageKind` says that this is an initiation.
    @_lifetime(copy bytes)
    package init(_ bytes: RawSpan) {
        precondition(MessageKind(of: bytes) == .initiation, "not an initiation")
        self.bytes = bytes
    }

    package var senderIndex: UInt32 { bytes.littleEndian(at: 4) }
    package var ephemeral: Bytes32 { Bytes32(bytes.extracting(8..<40)) }
    package var sealedStatic: RawSpan {
        @_lifetime(copy self) get { bytes.extracting(40..<88) }
    }
    package var sealedTimestamp: RawSpan {
        @_lifetime(copy self) get { bytes.extracting(88..<116) }
    }

    /// A message whose MACs are still zero.
    package static func encode(
        senderIndex: UInt32, ephemeral: Bytes32, sealedStatic: [UInt8], sealedTimestamp: [UInt8]
    ) -> [UInt8] {
        var message: [UInt8] = []
        message.reserveCapacity(byteCount)
        message.appendLittleEndian(MessageKind.initiation.rawValue)
        message.appendLittleEndian(senderIndex)
        message.append(ephemeral)
        message += sealedStatic
        message += sealedTimestamp
        message.append(contentsOf: repeatElement(0, count: 2 * MessageMACs.byteCount))
        precondition(message.count == byteCount, "a sealed part has the wrong length")
        return message
    }
}

/// The answer to an initiation.
///
/// | bytes | 0–3 | 4–7 | 8–11 | 12–43 | 44–59 | 60–75 | 76–91 |
/// |---|---|---|---|---|---|---|---|
/// | | type | sender index | receiver index | ephemeral key | sealed empty text | mac1 | mac2 |
package struct ResponseMessage: ~Escapable {
    package static var byteCount: Int { 92 }

    private let bytes: RawSpan

    /// Traps unless `MessageKind` says that this is a response.
    @_lifetime(copy bytes)
    package init(_ bytes: RawSpan) {
        precondition(MessageKind(of: bytes) == .response, "not a response")
        self.bytes = bytes
    }

    package var senderIndex: UInt32 { bytes.littleEndian(at: 4) }
    package var receiverIndex: UInt32 { bytes.littleEndian(at: 8) }
    package var ephemeral: Bytes32 { Bytes32(bytes.extracting(12..<44)) }
    package var sealedEmpty: RawSpan {
        @_lifetime(copy self) get { bytes.extracting(44..<60) }
    }

    /// A message whose MACs are still zero.
    package static func encode(
        senderIndex: UInt32, receiverIndex: UInt32, ephemeral: Bytes32, sealedEmpty: [UInt8]
    ) -> [UInt8] {
        var message: [UInt8] = []
        message.reserveCapacity(byteCount)
        message.appendLittleEndian(MessageKind.response.rawValue)
        message.appendLittleEndian(senderIndex)
        message.appendLittleEndian(receiverIndex)
        message.append(ephemeral)
        message += sealedEmpty
        message.append(contentsOf: repeatElement(0, count: 2 * MessageMACs.byteCount))
        precondition(message.count == byteCount, "the sealed part has the wrong length")
        return message
    }
}

/// The two authenticators at the end of an initiation and of a response.
package enum MessageMACs {
    package static var byteCount: Int { 16 }

    /// Where mac1 stands in a message of `count` bytes.
    package static func mac1(in count: Int) -> Range<Int> {
        count - 2 * byteCount..<count - byteCount
    }
    /// Where mac2 stands in a message of `count` bytes.
    package static func mac2(in count: Int) -> Range<Int> { count - byteCount..<count }
}

/// A server's demand to prove one's address.
///
/// | bytes | 0–3 | 4–7 | 8–31 | 32–63 |
/// |---|---|---|---|---|
/// | | type | receiver index | nonce | sealed cookie |
package struct CookieReplyMessage: ~Escapable {
    package static var byteCount: Int { 64 }

    private let bytes: RawSpan

    /// Traps unless `MessageKind` says that this is a cookie reply.
    @_lifetime(copy bytes)
    package init(_ bytes: RawSpan) {
        precondition(MessageKind(of: bytes) == .cookieReply, "not a cookie reply")
        self.bytes = bytes
    }

    package var receiverIndex: UInt32 { bytes.littleEndian(at: 4) }
    package var nonce: RawSpan {
        @_lifetime(copy self) get { bytes.extracting(8..<32) }
    }
    package var sealedCookie: RawSpan {
        @_lifetime(copy self) get { bytes.extracting(32..<64) }
    }

    package static func encode(
        receiverIndex: UInt32, nonce: [UInt8], sealedCookie: [UInt8]
    ) -> [UInt8] {
        var message: [UInt8] = []
        message.reserveCapacity(byteCount)
        message.appendLittleEndian(MessageKind.cookieReply.rawValue)
        message.appendLittleEndian(receiverIndex)
        message += nonce
        message += sealedCookie
        precondition(message.count == byteCount, "nonce or cookie has the wrong length")
        return message
    }
}
