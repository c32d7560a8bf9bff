package import NetTypes

/// Twelve random bytes that make a mapping ours: only who knows them may change or remove it
/// (RFC 6887 §11.2).
package struct PCPNonce: Hashable, Sendable {
    package static var byteCount: Int { 12 }
    package let bytes: [UInt8]

    /// Nil unless there are twelve bytes.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.byteCount else { return nil }
        self.bytes = bytes
    }

    package init(using random: inout some RandomNumberGenerator) {
        var bytes: [UInt8] = []
        bytes.appendBigEndian(random.next())
        bytes.appendBigEndian(UInt32(truncatingIfNeeded: random.next()))
        self.bytes = bytes
    }
}

/// Requests of PCP (RFC 6887 §7.1):
///
///     version 2 u8 | opcode u8 | reserved u16 | lifetime u32 | client address 16
///     then for MAP (§11.1): nonce 12 | protocol u8 | reserved 3 | internal port u16 |
///                           suggested external port u16 | suggested external address 16
package enum PCPRequest {
    static var version: UInt8 { 2 }

    /// Asks nothing: tells whether the gateway speaks the protocol, and its epoch (§14.1).
    package static func announce(client: IPAddress) -> [UInt8] {
        header(PCPResponse.Opcode.announce, lifetime: 0, client)
    }

    /// Maps a UDP port, or opens the firewall for it where addresses are not translated. `lifetime` is
    /// in seconds; with 0 the mapping is removed, and port and address must be zeros.
    package static func mapUDP(
        client: IPAddress, nonce: PCPNonce, internalPort: UInt16, suggested: Endpoint,
        lifetime: UInt32
    ) -> [UInt8] {
        var bytes = header(PCPResponse.Opcode.map, lifetime: lifetime, client)
        bytes += nonce.bytes
        bytes += [PCPResponse.udp, 0, 0, 0]
        bytes.appendBigEndian(internalPort)
        bytes.appendBigEndian(suggested.port)
        bytes.append(suggested.address.mapped)
        return bytes
    }

    private static func header(
        _ opcode: UInt8, lifetime: UInt32, _ client: IPAddress
    ) -> [UInt8] {
        var bytes: [UInt8] = [version, opcode, 0, 0]
        bytes.appendBigEndian(lifetime)
        bytes.append(client.mapped)
        return bytes
    }
}

/// A response of PCP (RFC 6887 §7.2):
///
///     version 2 u8 | 128 + opcode u8 | reserved u8 | result u8 | lifetime u32 | epoch u32 | reserved 12
///     then for MAP: nonce 12 | protocol u8 | reserved 3 | internal port u16 | external port u16 |
///                   external address 16
package struct PCPResponse: Equatable, Sendable {
    enum Opcode {
        static var announce: UInt8 { 0 }
        static var map: UInt8 { 1 }
        static var isResponse: UInt8 { 0x80 }
    }
    static var udp: UInt8 { 17 }
    private static var headerByteCount: Int { 24 }
    private static var mapByteCount: Int { 60 }
    private static var maximumByteCount: Int { 1100 }

    /// Why a request failed (§7.4), as far as it matters what to do then.
    package enum Result {
        package static var success: UInt8 { 0 }
        package static var unsupportedVersion: UInt8 { 1 }
        package static var notAuthorized: UInt8 { 2 }
        package static var unsupportedOpcode: UInt8 { 4 }
        package static var networkFailure: UInt8 { 7 }
        package static var noResources: UInt8 { 8 }
        package static var cannotProvideExternal: UInt8 { 11 }
        package static var addressMismatch: UInt8 { 12 }
    }

    package enum Content: Equatable, Sendable {
        case announcement
        case mapped(nonce: PCPNonce, internalPort: UInt16, external: Endpoint)
    }
    package var result: UInt8
    /// Seconds: of the mapping, or how long the failure is to be expected to last.
    package var lifetime: UInt32
    /// Seconds since the gateway lost its mappings.
    package var epoch: UInt32
    package var content: Content

    package init(parsing bytes: RawSpan) throws(PortMappingParseError) {
        guard bytes.byteCount >= Self.headerByteCount else {
            throw .truncated(needed: Self.headerByteCount, have: bytes.byteCount)
        }
        guard bytes.byteCount <= Self.maximumByteCount else { throw .tooLong(bytes.byteCount) }
        guard bytes.byte(at: 0) == PCPRequest.version else {
            throw .unexpectedVersion(bytes.byte(at: 0))
        }
        let opcode = bytes.byte(at: 1)
        guard opcode & Opcode.isResponse != 0 else { throw .unexpectedOpcode(opcode) }
        result = bytes.byte(at: 3)
        lifetime = bytes.bigEndian(at: 4)
        epoch = bytes.bigEndian(at: 8)
        switch opcode & ~Opcode.isResponse {
        case Opcode.announce: content = .announcement
        case Opcode.map: content = try Self.mapping(bytes)
        default: throw .unexpectedOpcode(opcode)
        }
    }

    private static func mapping(_ bytes: RawSpan) throws(PortMappingParseError) -> Content {
        guard bytes.byteCount >= mapByteCount else {
            throw .truncated(needed: mapByteCount, have: bytes.byteCount)
        }
        var reader = ByteReader(bytes.extracting(headerByteCount..<mapByteCount))
        do throws(TruncatedInput) {
            let nonce = PCPNonce(try reader.readArray(count: PCPNonce.byteCount))
            let number: UInt8 = try reader.readBigEndian()
            try reader.skip(3)
            let internalPort: UInt16 = try reader.readBigEndian()
            let externalPort: UInt16 = try reader.readBigEndian()
            let address = IPAddress(unmapping: try reader.readIPv6Address())
            guard let nonce, number == udp else { throw TruncatedInput(needed: 0, have: 0) }
            return .mapped(
                nonce: nonce, internalPort: internalPort,
                external: Endpoint(address, port: externalPort))
        } catch {
            throw .malformed
        }
    }
}
