package import NetTypes

/// A binding request as Tailscale's relays want it: they answer only those with this SOFTWARE and
/// a valid FINGERPRINT as the last attribute.
package enum STUNRequest {
    package static var byteCount: Int { 40 }

    /// The forty bytes of a request.
    package static func encode(_ id: STUNTransactionID) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(byteCount)
        bytes.appendBigEndian(STUNMessage.bindingRequest)
        bytes.appendBigEndian(UInt16(byteCount - STUNMessage.headerByteCount))
        bytes.appendBigEndian(STUNMessage.magicCookie)
        bytes.append(id)
        bytes.appendBigEndian(STUNMessage.Attribute.software)
        bytes.appendBigEndian(UInt16(8))
        bytes.append(contentsOf: Array("tailnode".utf8))
        let fingerprint = unsafe STUNFingerprint.value(of: bytes.span.bytes)
        bytes.appendBigEndian(STUNMessage.Attribute.fingerprint)
        bytes.appendBigEndian(UInt16(4))
        bytes.appendBigEndian(fingerprint)
        return bytes
    }
}

/// A binding success response: how the server saw the sender of the request.
package struct STUNResponse: Equatable, Sendable {
    package let id: STUNTransactionID
    package let mappedEndpoint: Endpoint

    package init(id: STUNTransactionID, mappedEndpoint: Endpoint) {
        self.id = id
        self.mappedEndpoint = mappedEndpoint
    }

    /// Reads a success response. XOR-MAPPED-ADDRESS is preferred, its draft number 0x8020 comes next,
    /// MAPPED-ADDRESS last; other attributes are skipped.
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
            case STUNMessage.Attribute.fingerprint:
                try attributes.checkFingerprint(item)
            default: break
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
