internal import CLinux
internal import IPPacket
internal import LinuxIO
internal import NetTypes
package import Segmentation

/// What the kernel of a TUN interface can do with super-packets, found out when it is opened.
package struct TunOffloads: Equatable, Sendable {
    /// Kinds it hands over uncut.
    package var receives: Coalescer.Kinds
    /// Kinds it takes merged.
    package var sends: Coalescer.Kinds

    /// Asks for everything, and for less where the kernel refuses that.
    init(probing descriptor: Int32) {
        let tcp = CLINUX_TUN_CHECKSUM | CLINUX_TUN_TCP
        if clinux_tun_offload(descriptor, tcp | CLINUX_TUN_UDP) >= 0 {
            receives = [.tcp, .udp]
        } else if clinux_tun_offload(descriptor, tcp) >= 0 {
            receives = .tcp
        } else {
            // Refused as well by kernels that know none: then they hand over whole packets.
            _ = clinux_tun_offload(descriptor, CLINUX_TUN_CHECKSUM)
            receives = []
        }
        sends = []
        if Self.takes(.tcp, descriptor) { sends.insert(.tcp) }
        if Self.takes(.udp, descriptor) { sends.insert(.udp) }
    }

    /// Some kernels refuse valid super-packets (Linux commit e269d79c7d35). Tried with two packets of no
    /// consequence: their hop limit is 0, and an interface that was just opened is down, of which the
    /// kernel complains only after it has looked at them.
    private static func takes(_ kind: Coalescer.Kinds, _ descriptor: Int32) -> Bool {
        let here = Endpoint(.v4(IPv4Address(100, 100, 100, 100)), port: 9)
        var memory: [UInt8] = []
        var coalescer = Coalescer(capacity: 2, kinds: kind)
        for number in 0..<2 as Range<UInt32> {
            let payload = [UInt8](repeating: 0, count: 100)
            var packet =
                kind == .tcp
                ? PacketBuilder.tcp(
                    from: here, to: here, flags: .ack, sequence: 1 + 100 * number, payload: payload)
                : PacketBuilder.udp(from: here, to: here, payload: payload)
            let sum = InternetChecksum.updated(
                UInt16(packet[10]) << 8 | UInt16(packet[11]),
                from: UInt16(packet[8]) << 8 | UInt16(packet[9]), to: UInt16(packet[9]))
            packet[8] = 0
            packet[10] = UInt8(sum >> 8)
            packet[11] = UInt8(sum & 0xFF)
            memory += packet
        }
        let half = memory.count / 2
        unsafe coalescer.add(0..<half, of: memory.span.bytes)
        unsafe coalescer.add(half..<memory.count, of: memory.span.bytes)
        guard coalescer.groupCount == 1 else { return false }
        var merged = [UInt8](repeating: 0, count: 128)
        var span = merged.mutableSpan
        var target = unsafe span.mutableBytes
        let count = unsafe coalescer.writeHeaders(
            of: 0, from: memory.span.bytes, to: &target)
        merged.removeLast(merged.count - count)
        coalescer.forEachPiece(of: 0) { merged += memory[$0] }
        let result = unsafe merged.withUnsafeBytes { bytes in
            unsafe clinux_write(descriptor, bytes.baseAddress, bytes.count)
        }
        return result != Int(-SystemError.invalidArgument)
    }
}
