internal import NetTypes

/// What a datagram on the node's socket is, told from its first bytes alone.
package enum DatagramKind: Equatable, Sendable {
    /// A STUN binding message, most likely a response.
    case stun
    case disco
    /// One of the four WireGuard messages, by type and least length.
    case wireGuard
    /// Comes through a peer relay: a Geneve header of eight bytes, and inside it disco or WireGuard.
    case geneve(GeneveHeader)
    /// Nothing of ours: empty, a one-byte sentinel, noise.
    case unknown
}

/// Tells what a datagram is. The order matters: the forms exclude each other only one after the other.
package func classify(_ datagram: RawSpan) -> DatagramKind {
    guard datagram.byteCount >= 20 else { return .unknown }
    let first: UInt32 = datagram.bigEndian(at: 0)
    // Nearly all; nothing else begins like it.
    if first == 0x0400_0000, datagram.byteCount >= 32 { return .wireGuard }
    if first & 0xC0FF_0000 == 0x0001_0000,
        datagram.bigEndian(at: 4, as: UInt32.self) == 0x2112_A442
    {
        return .stun
    }
    if DiscoEnvelope.recognizes(datagram) { return .disco }
    if let header = GeneveHeader(datagram) { return .geneve(header) }
    // Type byte, three zero bytes; the shortest message is a keepalive of 32 bytes.
    switch first {
    case 0x0100_0000, 0x0200_0000, 0x0300_0000, 0x0400_0000:
        return datagram.byteCount >= 32 ? .wireGuard : .unknown
    default: return .unknown
    }
}

/// The Geneve header (RFC 8926 §3.4) in front of what passes a peer relay.
///
/// | bytes | field |
/// |---|---|
/// | 0 | version and option length, both 0 |
/// | 1 | 0x80 on messages for the relay itself |
/// | 2–3 | protocol: 0x7A11 disco, 0x7A12 WireGuard |
/// | 4–6 | virtual network |
/// | 7 | 0 |
package struct GeneveHeader: Equatable, Sendable {
    package static var byteCount: Int { 8 }

    package enum Content: UInt16, Sendable {
        case disco = 0x7A11
        case wireGuard = 0x7A12
    }

    package var content: Content
    /// 24 bits.
    package var virtualNetwork: UInt32
    /// For the relay, not for the peer behind it.
    package var isControl: Bool

    package init(content: Content, virtualNetwork: UInt32, isControl: Bool) {
        precondition(virtualNetwork < 1 << 24, "a virtual network has 24 bits")
        self.content = content
        self.virtualNetwork = virtualNetwork
        self.isControl = isControl
    }

    /// Nil unless the datagram begins with a header that this protocol uses.
    package init?(_ datagram: RawSpan) {
        guard datagram.byteCount >= Self.byteCount, datagram.byte(at: 0) & 0xC0 == 0,
            datagram.byte(at: 1) & 0x3F == 0, datagram.byte(at: 7) == 0,
            let content = Content(rawValue: datagram.bigEndian(at: 2))
        else { return nil }
        self.content = content
        virtualNetwork = datagram.bigEndian(at: 4, as: UInt32.self) >> 8
        isControl = datagram.byte(at: 1) & 0x80 != 0
    }

    /// Writes the eight bytes at `offset`. Traps past the end.
    package func write(to bytes: inout MutableRawSpan, at offset: Int) {
        bytes.storeBigEndian(isControl ? UInt16(0x80) : 0, at: offset)
        bytes.storeBigEndian(content.rawValue, at: offset + 2)
        bytes.storeBigEndian(virtualNetwork << 8, at: offset + 4)
    }

    package var encoded: [UInt8] {
        var bytes: [UInt8] = [0, isControl ? 0x80 : 0]
        bytes.appendBigEndian(content.rawValue)
        bytes.appendBigEndian(virtualNetwork << 8)
        return bytes
    }
}
