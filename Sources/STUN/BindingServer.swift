package import NetTypes

/// Answers binding requests (RFC 8489 §6.3) without keeping anything about anyone.
///
/// Any valid request is answered, whether or not it names its SOFTWARE or carries a FINGERPRINT; one
/// that is present must be right. An attribute that would have to be understood and is not gives a
/// 420 response. No answer is more than 24 bytes longer than its request: a poor amplifier.
package enum STUNServerLogic {
    /// Bytes of the longest answer.
    package static var responseCapacity: Int { 64 }

    /// Why a datagram gets no answer.
    package enum DropReason: Error, Equatable, Sendable {
        case malformed(STUNMessage.ParseError)
        /// The source cannot be answered: no port, or no address of one host.
        case unusableSource
    }

    /// Attribute types that a 420 response names: the first eight.
    private struct UnknownAttributes {
        var types: [8 of UInt16] = .init(repeating: 0)
        var count = 0

        mutating func append(_ type: UInt16) {
            guard count < types.count else { return }
            types[count] = type
            count += 1
        }
    }

    /// Writes the answer to `request` into `response`, which holds at least `responseCapacity`
    /// bytes, and returns its length.
    package static func respond(
        to request: RawSpan, from source: Endpoint, into response: inout MutableRawSpan
    ) throws(DropReason) -> Int {
        precondition(response.byteCount >= responseCapacity, "no room for the answer")
        guard source.port != 0, !source.address.isUnspecified, !source.address.isMulticast else {
            throw .unusableSource
        }
        let unknown: UnknownAttributes
        do throws(STUNMessage.ParseError) {
            unknown = try check(request)
        } catch {
            throw .malformed(error)
        }
        // Cookie and transaction ID come back in every answer.
        response.copy(request.extracting(4..<20), at: 4)
        let count: Int
        if unknown.count == 0 {
            response.storeBigEndian(STUNMessage.bindingSuccess, at: 0)
            count = write(source, of: STUNTransactionID(request, at: 8), into: &response)
        } else {
            response.storeBigEndian(STUNMessage.bindingError, at: 0)
            count = write(unknown, into: &response)
        }
        response.storeBigEndian(UInt16(count - STUNMessage.headerByteCount), at: 2)
        return count
    }

    /// The answer as an array; nil when there is none.
    package static func response(to request: RawSpan, from source: Endpoint) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: responseCapacity)
        var span = bytes.mutableSpan
        var raw = unsafe span.mutableBytes
        // Nil says all that a caller without counters wants to know.
        guard let count = try? respond(to: request, from: source, into: &raw) else { return nil }
        return Array(bytes.prefix(count))
    }

    private static func check(
        _ request: RawSpan
    ) throws(STUNMessage.ParseError) -> UnknownAttributes {
        var attributes = try STUNAttributes(checking: request)
        let type: UInt16 = request.bigEndian(at: 0)
        guard type == STUNMessage.bindingRequest else { throw .unexpectedType(type) }
        var unknown = UnknownAttributes()
        while let item = try attributes.next() {
            if item.type == STUNMessage.Attribute.fingerprint {
                try attributes.checkFingerprint(item)
            } else if item.type < 0x8000, !isUnderstood(item.type) {
                unknown.append(item.type)
            }
        }
        return unknown
    }

    /// The attributes of RFC 8489 itself. A server that asks nobody to authenticate may pass over
    /// those of its credentials.
    private static func isUnderstood(_ type: UInt16) -> Bool {
        switch type {
        case 0x0001, 0x0006, 0x0008, 0x0009, 0x000A, 0x0014, 0x0015, 0x001C, 0x001D, 0x001E, 0x0020:
            true
        default: false
        }
    }

    /// XOR-MAPPED-ADDRESS (RFC 8489 §14.2). Returns the length of the message.
    private static func write(
        _ source: Endpoint, of id: STUNTransactionID, into response: inout MutableRawSpan
    ) -> Int {
        let address = IPAddress(unmapping: source.address.mapped)
        let xored = id.xor(Endpoint(address, port: source.port))
        response.storeBigEndian(STUNMessage.Attribute.xorMappedAddress, at: 20)
        response.storeBigEndian(UInt16(xored.address.isIPv4 ? 8 : 20), at: 22)
        response.storeBigEndian(UInt16(xored.address.isIPv4 ? 1 : 2), at: 24)
        response.storeBigEndian(xored.port, at: 26)
        switch xored.address {
        case .v4(let address):
            response.storeBigEndian(address.bits, at: 28)
            return 32
        case .v6(let address):
            response.storeBigEndian(address.high, at: 28)
            response.storeBigEndian(address.low, at: 36)
            return 44
        }
    }

    /// ERROR-CODE 420 with an empty reason phrase, and UNKNOWN-ATTRIBUTES (RFC 8489 §14.8, §14.13).
    private static func write(
        _ unknown: UnknownAttributes, into response: inout MutableRawSpan
    ) -> Int {
        response.storeBigEndian(STUNMessage.Attribute.errorCode, at: 20)
        response.storeBigEndian(UInt16(4), at: 22)
        response.storeBigEndian(UInt32(4 << 8 | 20), at: 24)
        response.storeBigEndian(STUNMessage.Attribute.unknownAttributes, at: 28)
        response.storeBigEndian(UInt16(2 * unknown.count), at: 30)
        for index in 0..<8 { response.storeBigEndian(unknown.types[index], at: 32 + 2 * index) }
        return 32 + (2 * unknown.count + 3) & ~3
    }
}
