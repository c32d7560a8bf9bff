internal import NetTypes

/// A number that all packets of a flow share and two flows rarely do: of addresses, protocol and, for TCP
/// and UDP without IP options, ports. Nothing that an attacker could not choose collisions of.
@inline(__always)
package func flowHash(_ packet: RawSpan) -> UInt64 {
    guard packet.byteCount >= 28 else { return 0 }
    var hash: UInt64
    let number: UInt8
    var start = 0
    if packet.byte(at: 0) >> 4 == 4 {
        number = packet.byte(at: 9)
        hash = packet.littleEndian(at: 12)
        // Of fragments only the first has ports.
        let isWhole = packet.bigEndian(at: 6, as: UInt16.self) & 0x3FFF == 0
        if packet.byte(at: 0) == 0x45, isWhole { start = 20 }
    } else {
        guard packet.byteCount >= 48 else { return 0 }
        number = packet.byte(at: 6)
        hash =
            mix(packet.littleEndian(at: 8), packet.littleEndian(at: 16))
            ^ mix(packet.littleEndian(at: 24), packet.littleEndian(at: 32))
        start = 40
    }
    let hasPorts = number == IPProtocol.tcp.rawValue || number == IPProtocol.udp.rawValue
    if start > 0, hasPorts {
        hash ^= UInt64(packet.littleEndian(at: start, as: UInt32.self)) << 16
    }
    return mix(hash, UInt64(number))
}

@inline(__always)
private func mix(_ left: UInt64, _ right: UInt64) -> UInt64 {
    let product = (left ^ 0xA076_1D64_78BD_642F)
        .multipliedFullWidth(by: right ^ 0xE703_7ED1_A0B4_28DB)
    return product.high ^ product.low
}
