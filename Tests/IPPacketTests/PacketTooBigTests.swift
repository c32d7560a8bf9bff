import IPPacket
import NetTypes
import Testing

@Suite("packets too big for a path")
struct PacketTooBigTests {
    private let one = IPAddress("100.64.0.1")!
    private let other = IPAddress("100.64.0.2")!
    private let six = IPAddress("fd7a:115c:a1e0::1")!
    private let otherSix = IPAddress("fd7a:115c:a1e0::2")!

    private func udp(_ source: IPAddress, _ destination: IPAddress, _ count: Int) -> [UInt8] {
        PacketBuilder.udp(
            from: Endpoint(source, port: 1000), to: Endpoint(destination, port: 2000),
            payload: [UInt8](repeating: 7, count: count))
    }

    private func answer(_ packet: [UInt8], mtu: Int) throws -> [UInt8]? {
        PacketBuilder.tooBig(
            mtu: mtu, about: packet.span.bytes, try ParsedPacket(packet.span.bytes))
    }

    private func hasValidChecksum(_ bytes: [UInt8]) throws -> Bool {
        let parsed = try ParsedPacket(bytes.span.bytes)
        let transport = bytes.span.bytes.extracting(parsed.transportOffset..<parsed.byteCount)
        var sum = InternetChecksum()
        if parsed.protocol != .icmpv4 {
            sum.addPseudoHeader(
                source: parsed.source, destination: parsed.destination,
                protocol: parsed.protocol, byteCount: transport.byteCount)
        }
        sum.add(transport)
        return sum.value == 0
    }

    @Test("IPv4: fragmentation needed, with the MTU and the beginning of the packet")
    func ipv4() throws {
        let packet = udp(one, other, 1_200)
        let reply = try #require(try answer(packet, mtu: 1_100))
        let parsed = try ParsedPacket(reply.span.bytes)
        #expect(parsed.source == other && parsed.destination == one)
        #expect(parsed.icmp == .error && reply.count == 576)
        #expect(Array(reply[20..<22]) == [3, 4])
        #expect(Array(reply[24..<28]) == [0, 0, 0x04, 0x4C])
        #expect(Array(reply[28...]) == Array(packet[..<548]))
        #expect(try hasValidChecksum(reply))
    }

    @Test("IPv6: packet too big, as much of the packet as fits into 1280 bytes")
    func ipv6() throws {
        let packet = udp(six, otherSix, 1_400)
        let reply = try #require(try answer(packet, mtu: 1_300))
        let parsed = try ParsedPacket(reply.span.bytes)
        #expect(parsed.source == otherSix && parsed.destination == six)
        #expect(reply.count == 1_280)
        #expect(Array(reply[40..<42]) == [2, 0])
        #expect(Array(reply[44..<48]) == [0, 0, 0x05, 0x14])
        #expect(try hasValidChecksum(reply))
    }

    @Test("no answer where none must be given or none would help")
    func none() throws {
        var fragmentable = udp(one, other, 1_200)
        fragmentable[6] = 0
        #expect(try answer(fragmentable, mtu: 1_100) == nil)
        #expect(try answer(udp(six, otherSix, 1_200), mtu: 1_100) == nil)
        #expect(try answer(udp(one, other, 1_000), mtu: 1_100) == nil)
        #expect(try answer(udp(one, IPAddress("224.0.0.1")!, 1_200), mtu: 1_100) == nil)
        let error = PacketBuilder.icmp(
            type: 3, code: 4, rest: 1_000, from: one, to: other,
            payload: [UInt8](repeating: 0, count: 1_200))
        #expect(try answer(error, mtu: 1_100) == nil)
    }

    /// A SYN with these options.
    private func syn(_ source: IPAddress, _ destination: IPAddress, _ options: [UInt8]) -> [UInt8] {
        var packet = PacketBuilder.tcp(
            from: Endpoint(source, port: 1000), to: Endpoint(destination, port: 2000),
            flags: .syn, payload: options)
        let start = source.isIPv4 ? 20 : 40
        packet[start + 12] = UInt8(5 + options.count / 4) << 4
        packet[start + 16] = 0
        packet[start + 17] = 0
        var sum = InternetChecksum()
        sum.addPseudoHeader(
            source: source, destination: destination, protocol: .tcp,
            byteCount: packet.count - start)
        sum.add(packet.span.bytes.extracting(start..<packet.count))
        packet[start + 16] = UInt8(sum.value >> 8)
        packet[start + 17] = UInt8(sum.value & 0xFF)
        return packet
    }

    private func clamp(_ packet: inout [UInt8], mtu: Int) throws -> Bool {
        let parsed = try ParsedPacket(packet.span.bytes)
        var span = packet.mutableSpan
        var bytes = span.mutableBytes
        return clampSegmentSize(of: &bytes, parsed, mtu: mtu)
    }

    @Test(
        "a SYN announces no more than fits, wherever the option stands",
        arguments: [
            ([2, 4, 5, 180] as [UInt8], 2), ([1, 2, 4, 5, 180, 1, 1, 0], 3),
            ([3, 3, 7, 2, 4, 5, 180, 0], 5), ([1, 1, 2, 4, 5, 180, 1, 0], 4),
        ])
    func clamped(options: [UInt8], field: Int) throws {
        for (source, destination) in [(one, other), (six, otherSix)] {
            var packet = syn(source, destination, options)
            let header = source.isIPv4 ? 40 : 60
            let isChanged = try clamp(&packet, mtu: 1_200)
            #expect(isChanged)
            let size = packet.span.bytes.bigEndian(at: header + field, as: UInt16.self)
            #expect(Int(size) == 1_200 - header)
            #expect(try hasValidChecksum(packet))
            let again = try clamp(&packet, mtu: 1_200)
            #expect(!again)
        }
    }

    @Test("smaller sizes, other segments and malformed options stay as they are")
    func untouched() throws {
        for options: [UInt8] in [
            [2, 4, 2, 0], [2, 3, 5, 180], [2, 0, 5, 180], [0, 2, 4, 5], [1, 1, 2, 4],
            [8, 40, 2, 4], [],
        ] {
            var packet = syn(one, other, options)
            let before = packet
            let isChanged = try clamp(&packet, mtu: 1_200)
            #expect(!isChanged && packet == before)
        }
        var data = PacketBuilder.tcp(
            from: Endpoint(one, port: 1), to: Endpoint(other, port: 2), flags: .ack)
        let isChanged = try clamp(&data, mtu: 100)
        #expect(!isChanged)
    }
}
