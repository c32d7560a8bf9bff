internal import NetTypes

/// The two bits by which routers tell of congestion (RFC 3168), carried through a tunnel as RFC 6040 says.
package enum CongestionMark {
    private static var ect1: UInt8 { 0b01 }
    private static var ect0: UInt8 { 0b10 }
    /// Congestion was experienced.
    package static var ce: UInt8 { 0b11 }

    /// The bits of an IPv4 or IPv6 packet, which also belong on the outside of a tunnel; 0 for anything
    /// else.
    package static func bits(of packet: RawSpan) -> UInt8 {
        guard packet.byteCount >= 20 else { return 0 }
        switch packet.byte(at: 0) >> 4 {
        case 4: return packet.byte(at: 1) & 3
        case 6: return packet.byte(at: 1) >> 4 & 3
        default: return 0
        }
    }

    /// Puts what routers have said on the outside of a tunnel into the packet that came through it.
    /// Returns false where the packet must be dropped: its sender could not be told in another way.
    package static func carry(_ outer: UInt8, into packet: inout MutableRawSpan) -> Bool {
        guard outer & 1 != 0 else { return true }
        let inner = bits(of: packet.bytes)
        if outer == ce {
            guard inner != 0 else { return false }
            if inner != ce { set(ce, in: &packet) }
        } else if inner == ect0 {
            set(ect1, in: &packet)
        }
        return true
    }

    private static func set(_ bits: UInt8, in packet: inout MutableRawSpan) {
        let word: UInt16 = packet.bytes.bigEndian(at: 0)
        guard word >> 12 == 4 else {
            return packet.storeBigEndian(word & ~(3 << 4) | UInt16(bits) << 4, at: 0)
        }
        let new = word & ~3 | UInt16(bits)
        let sum: UInt16 = packet.bytes.bigEndian(at: 10)
        packet.storeBigEndian(new, at: 0)
        packet.storeBigEndian(InternetChecksum.updated(sum, from: word, to: new), at: 10)
    }
}
