package import NetTypes

/// The port of NAT-PMP and PCP servers, and that on which their clients hear announcements.
package enum PortMappingPort {
    package static var server: UInt16 { 5351 }
    package static var client: UInt16 { 5350 }
    package static var ssdp: UInt16 { 1900 }
}

/// Why bytes are no message of a port mapping protocol.
package enum PortMappingParseError: Error, Equatable {
    case truncated(needed: Int, have: Int)
    case tooLong(Int)
    case unexpectedVersion(UInt8)
    case unexpectedOpcode(UInt8)
    case malformed
}

/// A request of NAT-PMP (RFC 6886 §3):
///
///     version 0 u8 | opcode u8 [| reserved u16 | internal port u16 | external port u16 | lifetime u32]
package enum NATPMPRequest {
    /// Asks for the gateway's external address; also tells whether it speaks the protocol.
    package static var externalAddress: [UInt8] { [0, 0] }

    /// Maps a UDP port. `lifetime` is in seconds; with 0 the mapping is removed, and `externalPort`
    /// must be 0.
    package static func mapUDP(
        internalPort: UInt16, externalPort: UInt16, lifetime: UInt32
    ) -> [UInt8] {
        var bytes: [UInt8] = [0, NATPMPResponse.Opcode.mapUDP, 0, 0]
        bytes.appendBigEndian(internalPort)
        bytes.appendBigEndian(externalPort)
        bytes.appendBigEndian(lifetime)
        return bytes
    }
}

/// A response of NAT-PMP (RFC 6886 §3.2, §3.3):
///
///     version 0 u8 | 128 + opcode u8 | result u16 | epoch u32 | address u32
///     … | internal port u16 | external port u16 | lifetime u32
package struct NATPMPResponse: Equatable, Sendable {
    enum Opcode {
        static var externalAddress: UInt8 { 0 }
        static var mapUDP: UInt8 { 1 }
        static var isResponse: UInt8 { 0x80 }
    }

    package enum Content: Equatable, Sendable {
        case externalAddress(IPv4Address)
        /// `lifetime` in seconds.
        case mapped(internalPort: UInt16, externalPort: UInt16, lifetime: UInt32)
        /// The request failed, or its kind is not known: 1 version, 2 refused, 3 network failure,
        /// 4 out of resources, 5 opcode.
        case failed(result: UInt16)
    }
    /// The result of a request of another version, such as one of PCP.
    package static var unsupportedVersion: UInt16 { 1 }

    /// Seconds since the gateway lost its mappings.
    package var epoch: UInt32
    package var content: Content

    package init(parsing bytes: RawSpan) throws(PortMappingParseError) {
        // What a server of the newest version says to a client it does not understand ends here.
        let least = 8
        guard bytes.byteCount >= least else {
            throw .truncated(needed: least, have: bytes.byteCount)
        }
        guard bytes.byte(at: 0) == 0 else { throw .unexpectedVersion(bytes.byte(at: 0)) }
        let opcode = bytes.byte(at: 1)
        guard opcode & Opcode.isResponse != 0 else { throw .unexpectedOpcode(opcode) }
        let result: UInt16 = bytes.bigEndian(at: 2)
        epoch = bytes.bigEndian(at: 4)
        guard result == 0 else {
            content = .failed(result: result)
            return
        }
        switch opcode & ~Opcode.isResponse {
        case Opcode.externalAddress:
            guard bytes.byteCount >= 12 else {
                throw .truncated(needed: 12, have: bytes.byteCount)
            }
            content = .externalAddress(IPv4Address(bits: bytes.bigEndian(at: 8)))
        case Opcode.mapUDP:
            guard bytes.byteCount >= 16 else {
                throw .truncated(needed: 16, have: bytes.byteCount)
            }
            content = .mapped(
                internalPort: bytes.bigEndian(at: 8), externalPort: bytes.bigEndian(at: 10),
                lifetime: bytes.bigEndian(at: 12))
        default: throw .unexpectedOpcode(opcode)
        }
    }
}
