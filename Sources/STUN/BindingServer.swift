package import NetTypes

/// What a STUN server knows about the socket that a request came to.
package struct STUNSite: Equatable, Sendable {
    /// Where the request was sent to.
    package var local: Endpoint
    /// The other port of `local.address` that this server answers from.
    package var alternatePort: UInt16?
    /// The other address, of the same family, that this server answers from by both ports.
    package var alternateAddress: IPAddress?

    package init(
        local: Endpoint, alternatePort: UInt16? = nil, alternateAddress: IPAddress? = nil
    ) {
        self.local = local
        self.alternatePort = alternatePort
        self.alternateAddress = alternateAddress
    }

    /// Where an answer is sent from; nil when this server cannot change what is asked for.
    func origin(_ change: STUNChange) -> Endpoint? {
        var origin = local
        if change.contains(.port) {
            guard let alternatePort else { return nil }
            origin.port = alternatePort
        }
        if change.contains(.address) {
            guard let alternateAddress else { return nil }
            origin.address = alternateAddress
        }
        return origin
    }

    var other: Endpoint? { alternateAddress == nil ? nil : origin([.address, .port]) }
}

/// Answers binding requests (RFC 8489 §6.3) and those of NAT behaviour discovery (RFC 5780 §6)
/// without keeping anything about anyone.
///
/// A valid request is answered whether or not it names its SOFTWARE or carries a FINGERPRINT; one that
/// is present must be right. An attribute that would have to be understood and is not gives a 420
/// response, and so does CHANGE-REQUEST where the server cannot change what is asked for. Nodes of
/// the official network get exactly what their own servers answer, everybody else also RESPONSE-ORIGIN
/// and, from a server with two addresses, OTHER-ADDRESS.
///
/// It amplifies poorly: with its IP and UDP headers no answer is more than 2.1 times its request, and
/// PADDING is answered by as much and no more, so it cannot be used to make fragments.
package enum STUNServerLogic {
    /// Bytes of the longest answer without PADDING.
    package static var responseCapacity: Int { 128 }

    /// Why a datagram gets no answer.
    package enum DropReason: Error, Equatable, Sendable {
        case malformed(STUNMessage.ParseError)
        /// The source cannot be answered: no port, or no address of one host.
        case unusableSource
    }

    /// Where an answer of `byteCount` bytes goes, and from where.
    package struct Reply: Equatable, Sendable {
        package var byteCount: Int
        package var destination: Endpoint
        package var origin: Endpoint?
    }

    /// Writes the answer to `request` into `response`, which holds at least `responseCapacity` bytes.
    /// Without a `site` the server has one socket and knows no more about it.
    package static func respond(
        to request: RawSpan, from source: Endpoint, at site: STUNSite? = nil,
        into response: inout MutableRawSpan
    ) throws(DropReason) -> Reply {
        precondition(response.byteCount >= responseCapacity, "no room for the answer")
        guard source.port != 0, !source.address.isUnspecified, !source.address.isMulticast else {
            throw .unusableSource
        }
        var wishes: STUNWishes
        do throws(STUNMessage.ParseError) {
            wishes = try STUNWishes(request)
        } catch {
            throw .malformed(error)
        }
        var origin = site?.local
        if let change = wishes.change {
            // A server without a second port knows no CHANGE-REQUEST, not even an empty one.
            let isKnown = site?.alternatePort != nil || site?.alternateAddress != nil
            origin = isKnown ? site?.origin(change) : nil
            if origin == nil { wishes.unknown.append(STUNMessage.Attribute.changeRequest) }
        }
        var destination = source
        if site != nil, let port = wishes.responsePort {
            destination.port = port
        } else if wishes.responsePort != nil {
            wishes.unknown.append(STUNMessage.Attribute.responsePort)
        }
        var writer = STUNAnswerWriter(to: request)
        if wishes.unknown.count > 0 {
            writer.refuse(wishes.unknown, into: &response)
            return Reply(byteCount: writer.count, destination: source, origin: site?.local)
        }
        if wishes.responsePort != nil, wishes.padding != nil {
            writer.refuseAsBad(into: &response)
            return Reply(byteCount: writer.count, destination: source, origin: site?.local)
        }
        writer.succeed(for: source, into: &response)
        if let site, !wishes.isOfficial {
            if source.address.isIPv4 { writer.appendMappedAddress(source, into: &response) }
            writer.append(STUNMessage.Attribute.responseOrigin, origin, into: &response)
            writer.append(STUNMessage.Attribute.otherAddress, site.other, into: &response)
        }
        if let padding = wishes.padding { writer.append(padding: padding, into: &response) }
        writer.finish(into: &response)
        return Reply(byteCount: writer.count, destination: destination, origin: origin)
    }

    /// The answer as an array; nil when there is none.
    package static func response(
        to request: RawSpan, from source: Endpoint, at site: STUNSite? = nil
    ) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: responseCapacity)
        var span = bytes.mutableSpan
        var raw = unsafe span.mutableBytes
        // Nil says all that a caller without counters wants to know.
        guard let reply = try? respond(to: request, from: source, at: site, into: &raw) else {
            return nil
        }
        return Array(bytes.prefix(reply.byteCount))
    }
}

/// What a valid binding request asks for.
struct STUNWishes {
    /// Attribute types that a 420 response names: the first eight.
    struct Unknown {
        private(set) var types: [8 of UInt16] = .init(repeating: 0)
        private(set) var count = 0

        mutating func append(_ type: UInt16) {
            guard count < types.count else { return }
            types[count] = type
            count += 1
        }
    }

    var unknown = Unknown()
    private(set) var change: STUNChange?
    private(set) var responsePort: UInt16?
    /// Bytes of padding.
    private(set) var padding: Int?
    /// Has the SOFTWARE of official nodes and does not ask for a change.
    private(set) var isOfficial = false

    init(_ request: RawSpan) throws(STUNMessage.ParseError) {
        var attributes = try STUNAttributes(checking: request)
        let type: UInt16 = request.bigEndian(at: 0)
        guard type == STUNMessage.bindingRequest else { throw .unexpectedType(type) }
        while let item = try attributes.next() { try take(item, request, attributes) }
        if change != nil { isOfficial = false }
    }

    private mutating func take(
        _ item: STUNAttributes.Item, _ request: RawSpan, _ attributes: borrowing STUNAttributes
    ) throws(STUNMessage.ParseError) {
        let start = item.value.lowerBound
        switch item.type {
        case STUNMessage.Attribute.fingerprint: try attributes.checkFingerprint(item)
        case STUNMessage.Attribute.software:
            let text = request.extracting(item.value)
            isOfficial =
                text.byteCount == STUNRequest.software.count
                && STUNRequest.software.indices.allSatisfy {
                    text.byte(at: $0) == STUNRequest.software[$0]
                }
        case STUNMessage.Attribute.changeRequest:
            guard item.value.count == 4 else { throw .malformedAttribute(item.type) }
            change = STUNChange(rawValue: request.bigEndian(at: start)).intersection(
                [.address, .port])
        case STUNMessage.Attribute.responsePort:
            guard item.value.count == 4 else { throw .malformedAttribute(item.type) }
            let port: UInt16 = request.bigEndian(at: start)
            guard port != 0 else { throw .malformedAttribute(item.type) }
            responsePort = port
        case STUNMessage.Attribute.padding: padding = item.value.count
        default:
            if item.type < 0x8000, !STUNMessage.Attribute.isGeneral(item.type) {
                unknown.append(item.type)
            }
        }
    }
}

/// Writes an answer attribute by attribute; the message is whole after `finish` or a refusal.
struct STUNAnswerWriter {
    /// Cookie and transaction ID come back in every answer.
    private let cookieAndID: (UInt32, UInt32, UInt64)
    private let id: STUNTransactionID
    private(set) var count = STUNMessage.headerByteCount

    init(to request: RawSpan) {
        cookieAndID = (
            request.bigEndian(at: 4), request.bigEndian(at: 8), request.bigEndian(at: 12)
        )
        id = STUNTransactionID(request, at: 8)
    }

    private func begin(_ type: UInt16, into response: inout MutableRawSpan) {
        response.storeBigEndian(type, at: 0)
        response.storeBigEndian(cookieAndID.0, at: 4)
        response.storeBigEndian(cookieAndID.1, at: 8)
        response.storeBigEndian(cookieAndID.2, at: 12)
    }

    func finish(into response: inout MutableRawSpan) {
        response.storeBigEndian(UInt16(count - STUNMessage.headerByteCount), at: 2)
    }

    /// XOR-MAPPED-ADDRESS (RFC 8489 §14.2).
    mutating func succeed(for source: Endpoint, into response: inout MutableRawSpan) {
        begin(STUNMessage.bindingSuccess, into: &response)
        let address = IPAddress(unmapping: source.address.mapped)
        append(
            STUNMessage.Attribute.xorMappedAddress, id.xor(Endpoint(address, port: source.port)),
            into: &response)
    }

    /// For clients of RFC 3489, which know IPv4 only.
    mutating func appendMappedAddress(_ source: Endpoint, into response: inout MutableRawSpan) {
        append(STUNMessage.Attribute.mappedAddress, source, into: &response)
    }

    mutating func append(
        _ type: UInt16, _ endpoint: Endpoint?, into response: inout MutableRawSpan
    ) {
        guard let endpoint else { return }
        response.storeBigEndian(type, at: count)
        response.storeBigEndian(UInt16(endpoint.address.isIPv4 ? 8 : 20), at: count + 2)
        response.storeBigEndian(UInt16(endpoint.address.isIPv4 ? 1 : 2), at: count + 4)
        response.storeBigEndian(endpoint.port, at: count + 6)
        switch endpoint.address {
        case .v4(let address):
            response.storeBigEndian(address.bits, at: count + 8)
            count += 12
        case .v6(let address):
            response.storeBigEndian(address.high, at: count + 8)
            response.storeBigEndian(address.low, at: count + 16)
            count += 24
        }
    }

    /// As many bytes as were asked for and there is room for.
    mutating func append(padding: Int, into response: inout MutableRawSpan) {
        let room = (response.byteCount - count - 4) & ~3
        let length = min(padding & ~3, room)
        guard length > 0 else { return }
        response.storeBigEndian(STUNMessage.Attribute.padding, at: count)
        response.storeBigEndian(UInt16(length), at: count + 2)
        for offset in stride(from: 0, to: length, by: 4) {
            response.storeBigEndian(UInt32(0), at: count + 4 + offset)
        }
        count += 4 + length
    }

    /// ERROR-CODE 420 with an empty reason phrase, and UNKNOWN-ATTRIBUTES (RFC 8489 §14.8, §14.13).
    mutating func refuse(_ unknown: STUNWishes.Unknown, into response: inout MutableRawSpan) {
        begin(STUNMessage.bindingError, into: &response)
        append(errorCode: 420, into: &response)
        response.storeBigEndian(STUNMessage.Attribute.unknownAttributes, at: count)
        response.storeBigEndian(UInt16(2 * unknown.count), at: count + 2)
        for index in 0..<8 {
            response.storeBigEndian(unknown.types[index], at: count + 4 + 2 * index)
        }
        count += 4 + (2 * unknown.count + 3) & ~3
        finish(into: &response)
    }

    /// ERROR-CODE 400, for attributes that exclude each other.
    mutating func refuseAsBad(into response: inout MutableRawSpan) {
        begin(STUNMessage.bindingError, into: &response)
        append(errorCode: 400, into: &response)
        finish(into: &response)
    }

    private mutating func append(errorCode: Int, into response: inout MutableRawSpan) {
        response.storeBigEndian(STUNMessage.Attribute.errorCode, at: count)
        response.storeBigEndian(UInt16(4), at: count + 2)
        response.storeBigEndian(UInt32((errorCode / 100) << 8 | errorCode % 100), at: count + 4)
        count += 8
    }
}
