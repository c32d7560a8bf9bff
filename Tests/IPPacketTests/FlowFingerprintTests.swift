import IPPacket
import NetTypes
import Testing

@Suite struct FlowFingerprintTests {
    private static let v4 = (
        Endpoint(.v4(IPv4Address(10, 0, 0, 1)), port: 1000),
        Endpoint(.v4(IPv4Address(10, 0, 0, 2)), port: 2000)
    )
    private static let v6 = (
        Endpoint(.v6(IPv6Address(high: 1, low: 2)), port: 1000),
        Endpoint(.v6(IPv6Address(high: 3, low: 4)), port: 2000)
    )

    private func fingerprint(_ packet: [UInt8]) -> FlowFingerprint? {
        FlowFingerprint(packet.span.bytes)
    }

    @Test("Packets of a flow have one fingerprint, others another", arguments: [true, false])
    func flows(isIPv4: Bool) {
        let (near, far) = isIPv4 ? Self.v4 : Self.v6
        func tcp(_ flags: TCPFlags, from: Endpoint, to: Endpoint, _ count: Int) -> [UInt8] {
            PacketBuilder.tcp(
                from: from, to: to, flags: flags, sequence: UInt32(count),
                payload: [UInt8](repeating: 1, count: count))
        }
        let first = fingerprint(tcp([.ack], from: near, to: far, 10))
        #expect(first != nil)
        #expect(first == fingerprint(tcp([.ack, .psh, .fin], from: near, to: far, 99)))
        #expect(first != fingerprint(tcp([.ack], from: far, to: near, 10)))
        let port = Endpoint(near.address, port: near.port + 1)
        #expect(first != fingerprint(tcp([.ack], from: port, to: far, 10)))
        #expect(first != fingerprint(PacketBuilder.udp(from: near, to: far, payload: [1])))
        #expect(fingerprint(tcp([.syn], from: near, to: far, 0)) == nil)
        #expect(fingerprint(tcp([.syn, .ack], from: near, to: far, 0)) == nil)
    }

    @Test func `Fragments, options, wrong lengths and other protocols have none`() {
        let udp = PacketBuilder.udp(from: Self.v4.0, to: Self.v4.1, payload: [1, 2, 3])
        #expect(fingerprint(udp) != nil)
        for (offset, value) in [(0, 0x46), (3, 0x80), (6, 0x20), (7, 1), (9, 1), (9, 6)] {
            var changed = udp
            changed[offset] = UInt8(value)
            #expect(fingerprint(changed) == nil, "byte \(offset)")
        }
        #expect(fingerprint(Array(udp.dropLast())) == nil)
        #expect(fingerprint([]) == nil)
        let udp6 = PacketBuilder.udp(from: Self.v6.0, to: Self.v6.1, payload: [1, 2, 3])
        #expect(fingerprint(udp6) != nil)
        for (offset, value) in [(5, 9), (6, 44), (6, 6)] {
            var changed = udp6
            changed[offset] = UInt8(value)
            #expect(fingerprint(changed) == nil, "byte \(offset)")
        }
    }
}
