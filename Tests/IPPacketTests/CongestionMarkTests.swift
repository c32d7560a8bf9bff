import IPPacket
import NetTypes
import Testing

@Suite struct CongestionMarkTests {
    private func packet(isIPv4: Bool, mark: UInt8) -> [UInt8] {
        let addresses: (IPAddress, IPAddress) =
            isIPv4
            ? (.v4(IPv4Address(10, 0, 0, 1)), .v4(IPv4Address(10, 0, 0, 2)))
            : (.v6(.loopback), .v6(.loopback))
        var bytes = PacketBuilder.ip(.tcp, from: addresses.0, to: addresses.1, payload: [1, 2, 3])
        // Beside it a class of service, which must stay.
        bytes[1] |= isIPv4 ? 0b1010_1000 | mark : mark << 4
        if isIPv4 {
            bytes[10] = 0
            bytes[11] = 0
            var sum = InternetChecksum()
            sum.add(bytes.span.bytes.extracting(0..<20))
            bytes[10] = UInt8(sum.value >> 8)
            bytes[11] = UInt8(sum.value & 0xFF)
        }
        return bytes
    }

    @Test("The table of RFC 6040, figure 4", arguments: [true, false])
    func table(isIPv4: Bool) throws {
        // By outer, then inner mark: not ECT, ECT(1), ECT(0), CE. Nil is a drop.
        let table: [[UInt8?]] = [
            [0, 1, 2, 3], [0, 1, 1, 3], [0, 1, 2, 3], [nil, 3, 3, 3],
        ]
        for outer in 0..<4 as Range<UInt8> {
            for inner in 0..<4 as Range<UInt8> {
                var bytes = packet(isIPv4: isIPv4, mark: inner)
                #expect(CongestionMark.bits(of: bytes.span.bytes) == inner)
                var span = bytes.mutableSpan
                var packet = span.mutableBytes
                let isKept = CongestionMark.carry(outer, into: &packet)
                let expected = table[Int(outer)][Int(inner)]
                #expect(isKept == (expected != nil))
                guard let expected else { continue }
                #expect(bytes == self.packet(isIPv4: isIPv4, mark: expected))
            }
        }
    }

    @Test func `What is no packet has no mark and is left alone`() {
        for bytes in [[], [0x45], [UInt8](repeating: 0x95, count: 40)] as [[UInt8]] {
            var copy = bytes
            var span = copy.mutableSpan
            var packet = span.mutableBytes
            _ = CongestionMark.carry(1, into: &packet)
            #expect(copy == bytes)
            #expect(CongestionMark.bits(of: bytes.span.bytes) == 0)
        }
    }
}
