package import NetTypes

/// A binding request as Tailscale's relays want it: they answer only those with this SOFTWARE and
/// a valid FINGERPRINT as the last attribute.
package enum STUNRequest {
    /// The SOFTWARE of official nodes.
    static let software = Array("tailnode".utf8)

    /// The forty bytes of a request.
    package static func encode(_ id: STUNTransactionID) -> [UInt8] { encode(id, change: nil) }

    /// The 48 bytes of a request that asks for an answer from elsewhere (RFC 5780 §7.2). A server
    /// that does not know CHANGE-REQUEST answers 420, or as if it were not there.
    package static func encode(_ id: STUNTransactionID, change: STUNChange?) -> [UInt8] {
        encode(id, STUNMessage.Attribute.changeRequest, change?.rawValue)
    }

    /// With one more attribute of four bytes, unless that is nil.
    private static func encode(
        _ id: STUNTransactionID, _ attribute: UInt16, _ value: UInt32?
    ) -> [UInt8] {
        let byteCount = value == nil ? 40 : 48
        var bytes: [UInt8] = []
        bytes.reserveCapacity(byteCount)
        bytes.appendBigEndian(STUNMessage.bindingRequest)
        bytes.appendBigEndian(UInt16(byteCount - STUNMessage.headerByteCount))
        bytes.appendBigEndian(STUNMessage.magicCookie)
        bytes.append(id)
        if let value {
            bytes.appendBigEndian(attribute)
            bytes.appendBigEndian(UInt16(4))
            bytes.appendBigEndian(value)
        }
        bytes.appendBigEndian(STUNMessage.Attribute.software)
        bytes.appendBigEndian(UInt16(software.count))
        bytes.append(contentsOf: software)
        let fingerprint = unsafe STUNFingerprint.value(of: bytes.span.bytes)
        bytes.appendBigEndian(STUNMessage.Attribute.fingerprint)
        bytes.appendBigEndian(UInt16(4))
        bytes.appendBigEndian(fingerprint)
        return bytes
    }

    /// The 48 bytes of a request whose answer goes to another port of the sender's outside address
    /// (RFC 5780 §7.5), as servers answer that know RESPONSE-PORT.
    package static func encode(_ id: STUNTransactionID, responsePort: UInt16) -> [UInt8] {
        encode(id, STUNMessage.Attribute.responsePort, UInt32(responsePort) << 16)
    }

    /// The transaction of a binding request, such as one of ours that a NAT has turned back to us.
    package static func transactionID(of datagram: RawSpan) -> STUNTransactionID? {
        guard STUNMessage.isBinding(datagram),
            datagram.bigEndian(at: 0, as: UInt16.self) == STUNMessage.bindingRequest
        else { return nil }
        return STUNTransactionID(datagram, at: 8)
    }
}

/// A binding success response: how the server saw the sender of the request.
package struct STUNResponse: Equatable, Sendable {
    package let id: STUNTransactionID
    package let mappedEndpoint: Endpoint
    /// RESPONSE-ORIGIN: where the server sent this from. Only servers that know CHANGE-REQUEST say so.
    package private(set) var origin: Endpoint?
    /// OTHER-ADDRESS: where an answer would come from whose address and port were to be others. Only
    /// a server with two addresses has one.
    package private(set) var other: Endpoint?

    package init(
        id: STUNTransactionID, mappedEndpoint: Endpoint, origin: Endpoint? = nil,
        other: Endpoint? = nil
    ) {
        self.id = id
        self.mappedEndpoint = mappedEndpoint
        self.origin = origin
        self.other = other
    }

    /// Reads a success response. XOR-MAPPED-ADDRESS is preferred, its draft number 0x8020 comes next,
    /// MAPPED-ADDRESS last; of attributes that come twice the first counts.
    package init(_ datagram: RawSpan) throws(STUNMessage.ParseError) {
        var attributes = try STUNAttributes(checking: datagram)
        let type: UInt16 = datagram.bigEndian(at: 0)
        guard type == STUNMessage.bindingSuccess else { throw .unexpectedType(type) }
        id = STUNTransactionID(datagram, at: 8)
        var xored: Endpoint?
        var draft: Endpoint?
        var plain: Endpoint?
        while let item = try attributes.next() {
            switch item.type {
            case STUNMessage.Attribute.xorMappedAddress where xored == nil:
                xored = try Self.endpoint(datagram, item.value, xoredWith: id)
            case STUNMessage.Attribute.draftXorMappedAddress where draft == nil:
                draft = try Self.endpoint(datagram, item.value, xoredWith: id)
            case STUNMessage.Attribute.mappedAddress where plain == nil:
                plain = try Self.endpoint(datagram, item.value)
            case STUNMessage.Attribute.responseOrigin where origin == nil:
                origin = try Self.endpoint(datagram, item.value)
            case STUNMessage.Attribute.otherAddress where other == nil:
                other = try Self.endpoint(datagram, item.value)
            case STUNMessage.Attribute.fingerprint: try attributes.checkFingerprint(item)
            case STUNMessage.Attribute.padding, 0x8000...: break
            default:
                guard STUNMessage.Attribute.isGeneral(item.type) else {
                    throw .unknownAttribute(item.type)
                }
            }
        }
        guard let mapped = xored ?? draft ?? plain else { throw .noMappedAddress }
        mappedEndpoint = mapped
    }

    /// family u8 after a zero byte, port, address (RFC 8489 §14.1). Given an ID, the field is XORed.
    private static func endpoint(
        _ message: RawSpan, _ value: Range<Int>, xoredWith id: STUNTransactionID? = nil
    ) throws(STUNMessage.ParseError) -> Endpoint {
        guard value.count >= 8 else { throw .malformedAddress }
        let start = value.lowerBound
        let address: IPAddress
        switch (message.byte(at: start + 1), value.count) {
        case (1, 8): address = .v4(IPv4Address(bits: message.bigEndian(at: start + 4)))
        case (2, 20):
            address = .v6(
                IPv6Address(
                    high: message.bigEndian(at: start + 4), low: message.bigEndian(at: start + 12)))
        default: throw .malformedAddress
        }
        let field = Endpoint(address, port: message.bigEndian(at: start + 2))
        let plain = id?.xor(field) ?? field
        return Endpoint(IPAddress(unmapping: plain.address.mapped), port: plain.port)
    }
}

/// A binding error response (RFC 8489 §14.8).
package struct STUNErrorResponse: Equatable, Sendable {
    package let id: STUNTransactionID
    /// 300...699, such as 420: the request had to be understood whole and was not.
    package let code: Int

    package init(_ datagram: RawSpan) throws(STUNMessage.ParseError) {
        var attributes = try STUNAttributes(checking: datagram)
        let type: UInt16 = datagram.bigEndian(at: 0)
        guard type == STUNMessage.bindingError else { throw .unexpectedType(type) }
        id = STUNTransactionID(datagram, at: 8)
        var code: Int?
        while let item = try attributes.next() {
            if item.type == STUNMessage.Attribute.errorCode, code == nil {
                code = try Self.code(datagram, item.value)
            } else if item.type == STUNMessage.Attribute.fingerprint {
                try attributes.checkFingerprint(item)
            }
        }
        guard let code else { throw .malformedAttribute(STUNMessage.Attribute.errorCode) }
        self.code = code
    }

    /// 21 reserved bits, the hundreds in three, the rest in a byte.
    private static func code(
        _ message: RawSpan, _ value: Range<Int>
    ) throws(STUNMessage.ParseError) -> Int {
        guard value.count >= 4 else {
            throw .malformedAttribute(STUNMessage.Attribute.errorCode)
        }
        let hundreds = Int(message.byte(at: value.lowerBound + 2) & 7)
        let rest = Int(message.byte(at: value.lowerBound + 3))
        guard (3...6).contains(hundreds), rest < 100 else {
            throw .malformedAttribute(STUNMessage.Attribute.errorCode)
        }
        return hundreds * 100 + rest
    }
}

extension STUNTransactionID {
    /// The transformation of XOR-MAPPED-ADDRESS (RFC 8489 §14.2), which is its own inverse: port and
    /// IPv4 with the cookie, IPv6 with the cookie and this ID.
    func xor(_ endpoint: Endpoint) -> Endpoint {
        let cookie = STUNMessage.magicCookie
        let port = endpoint.port ^ UInt16(cookie >> 16)
        switch endpoint.address {
        case .v4(let address):
            return Endpoint(.v4(IPv4Address(bits: address.bits ^ cookie)), port: port)
        case .v6(let address):
            let high = address.high ^ (UInt64(cookie) << 32 | UInt64(self.high))
            return Endpoint(.v6(IPv6Address(high: high, low: address.low ^ low)), port: port)
        }
    }
}

extension [UInt8] {
    mutating func append(_ id: STUNTransactionID) {
        appendBigEndian(id.high)
        appendBigEndian(id.low)
    }
}
