internal import NetTypes

/// What a packet filter decides by, of a packet whose headers are the ordinary ones: whole, without
/// options or extension headers, UDP or TCP without SYN. Two such packets with the same fingerprint are
/// the same to it. Cheaper than to parse the second one.
package struct FlowFingerprint: Equatable, Sendable, BitwiseCopyable {
    private var addresses: SIMD4<UInt64>
    /// Ports, protocol and IP version.
    private var rest: UInt64

    /// Nil for any other packet, also one that is not as long as it says.
    @inline(__always)
    package init?(_ packet: RawSpan) {
        guard packet.byteCount >= 28 else { return nil }
        let number: UInt8
        let start: Int
        if packet.byte(at: 0) == 0x45 {
            guard Int(packet.bigEndian(at: 2, as: UInt16.self)) == packet.byteCount,
                packet.bigEndian(at: 6, as: UInt16.self) & 0x3FFF == 0
            else { return nil }
            number = packet.byte(at: 9)
            start = 20
            addresses = [packet.littleEndian(at: 12), 0, 0, 0]
        } else {
            guard packet.byte(at: 0) >> 4 == 6, packet.byteCount >= 48,
                Int(packet.bigEndian(at: 4, as: UInt16.self)) + 40 == packet.byteCount
            else { return nil }
            number = packet.byte(at: 6)
            start = 40
            addresses = [
                packet.littleEndian(at: 8), packet.littleEndian(at: 16),
                packet.littleEndian(at: 24), packet.littleEndian(at: 32),
            ]
        }
        if number == IPProtocol.tcp.rawValue {
            guard packet.byteCount >= start + TCPView.headerByteCount,
                packet.byte(at: start + 13) & TCPFlags.syn.rawValue == 0
            else { return nil }
        } else if number != IPProtocol.udp.rawValue {
            return nil
        }
        rest =
            UInt64(packet.littleEndian(at: start, as: UInt32.self)) << 32
            | UInt64(start) << 8 | UInt64(number)
    }
}
