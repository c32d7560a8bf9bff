internal import NetTypes

/// What crypto-routing needs of a packet inside the tunnel.
struct InnerPacket {
    var source: IPAddress
    /// As its header says; padding follows it.
    var totalLength: Int

    /// Nil when this is no IP packet, or its header claims more bytes than there are or fewer than
    /// itself.
    init?(_ bytes: RawSpan) {
        guard bytes.byteCount >= 20 else { return nil }
        switch bytes.byte(at: 0) >> 4 {
        case 4:
            totalLength = Int(bytes.bigEndian(at: 2, as: UInt16.self))
            guard totalLength >= 20 else { return nil }
            source = .v4(IPv4Address(bits: bytes.bigEndian(at: 12)))
        case 6:
            guard bytes.byteCount >= 40 else { return nil }
            totalLength = 40 + Int(bytes.bigEndian(at: 4, as: UInt16.self))
            source = .v6(
                IPv6Address(high: bytes.bigEndian(at: 8), low: bytes.bigEndian(at: 16)))
        default: return nil
        }
        guard totalLength <= bytes.byteCount else { return nil }
    }
}
