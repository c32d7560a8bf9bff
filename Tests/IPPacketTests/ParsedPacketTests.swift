import IPPacket
import NetTypes
import Testing

@Suite struct ParsedPacketTests {
    static let v4: (IPAddress, IPAddress) = (
        .v4(IPv4Address(100, 64, 0, 1)), .v4(IPv4Address(100, 64, 0, 2))
    )
    static let v6: (IPAddress, IPAddress) = (
        IPAddress("fd7a:115c:a1e0::1")!, IPAddress("fd7a:115c:a1e0::2")!
    )

    private func parse(_ bytes: [UInt8]) throws(IPPacketError) -> ParsedPacket {
        try ParsedPacket(bytes.span.bytes)
    }
    private func error(_ bytes: [UInt8]) -> IPPacketError? {
        do {
            _ = try parse(bytes)
            return nil
        } catch { return error }
    }

    @Test func `Built packets have the bytes of an independent implementation`() {
        let payload = Array("hello".utf8)
        let v4 = (Endpoint(Self.v4.0, port: 1234), Endpoint(Self.v4.1, port: 53))
        let v6 = (Endpoint(Self.v6.0, port: 1234), Endpoint(Self.v6.1, port: 53))
        #expect(
            Hexadecimal.encode(PacketBuilder.udp(from: v4.0, to: v4.1, payload: payload))
                == "450000210000400040117249644000016440000204d20035000dee7768656c6c6f")
        #expect(
            Hexadecimal.encode(PacketBuilder.udp(from: v6.0, to: v6.1, payload: payload))
                == "60000000000d1140fd7a115ca1e000000000000000000001"
                + "fd7a115ca1e00000000000000000000204d20035000d558968656c6c6f")
        func tcp(_ addresses: (IPAddress, IPAddress)) -> String {
            Hexadecimal.encode(
                PacketBuilder.tcp(
                    from: Endpoint(addresses.0, port: 40_000),
                    to: Endpoint(addresses.1, port: 443), flags: .syn, sequence: 0x0102_0304))
        }
        #expect(
            tcp(Self.v4)
                == "45000028000040004006724d64400001644000029c4001bb"
                + "01020304000000005002ffff455e0000")
        #expect(
            tcp(Self.v6)
                == "6000000000140640fd7a115ca1e000000000000000000001"
                + "fd7a115ca1e0000000000000000000029c4001bb01020304000000005002ffffac6f0000")
        func echo(_ addresses: (IPAddress, IPAddress)) -> String {
            Hexadecimal.encode(
                PacketBuilder.echo(
                    from: addresses.0, to: addresses.1, identifier: 7, sequence: 9,
                    payload: Array("abc".utf8)))
        }
        #expect(
            echo(Self.v4) == "4500001f000040004001725b64400001644000020800338d00070009616263")
        #expect(
            echo(Self.v6)
                == "60000000000b3a40fd7a115ca1e000000000000000000001"
                + "fd7a115ca1e000000000000000000002800059d500070009616263")
    }

    @Test func `Addresses, ports and flags are found`() throws {
        for (from, to) in [Self.v4, Self.v6] {
            let source = Endpoint(from, port: 40_000)
            let destination = Endpoint(to, port: 443)
            let tcp = PacketBuilder.tcp(from: source, to: destination, flags: [.syn, .ece])
            var packet = try parse(tcp + [0, 0, 0])
            #expect(packet.source == from && packet.destination == to)
            #expect(packet.protocol == .tcp && packet.fragment == .whole)
            #expect(packet.sourcePort == 40_000 && packet.destinationPort == 443)
            #expect(packet.tcpFlags == [.syn, .ece] && packet.tcpFlags.opensConnection)
            #expect(packet.byteCount == tcp.count)
            #expect(
                packet.flow == FlowKey(protocol: .tcp, source: source, destination: destination))
            packet = try parse(
                PacketBuilder.echo(isReply: true, from: from, to: to, identifier: 1, sequence: 2))
            #expect(packet.icmp == .echoReply)
            #expect(packet.sourcePort == 0 && packet.destinationPort == 0)
            packet = try parse(PacketBuilder.ip(.tsmp, from: from, to: to, payload: []))
            #expect(packet.protocol == .tsmp)
        }
    }

    @Test func `ICMP inside the other version is no ICMP`() throws {
        let packet = try parse(
            PacketBuilder.ip(
                .icmpv6, from: Self.v4.0, to: Self.v4.1, payload: [129, 0, 0, 0, 0, 0, 0, 0]))
        #expect(packet.icmp == nil)
    }

    @Test func `An IPv4 header with options is skipped`() throws {
        var bytes = PacketBuilder.udp(
            from: Endpoint(Self.v4.0, port: 1), to: Endpoint(Self.v4.1, port: 2), payload: [])
        bytes.insert(contentsOf: [1, 1, 1, 0], at: 20)
        bytes[0] = 0x46
        bytes[3] += 4
        let packet = try parse(bytes)
        #expect(packet.transportOffset == 24)
        #expect(packet.sourcePort == 1 && packet.destinationPort == 2)
    }

    @Test func `Lengths that contradict each other are errors`() {
        let udp = PacketBuilder.udp(
            from: Endpoint(Self.v4.0, port: 1), to: Endpoint(Self.v4.1, port: 2), payload: [])
        #expect(error([]) == .truncated(needed: 20, have: 0))
        #expect(error(Array(udp[..<19])) == .truncated(needed: 20, have: 19))
        #expect(error(Array(udp[..<27])) == .badTotalLength(28))
        #expect(error([0x75] + udp.dropFirst()) == .badVersion(7))
        #expect(error([0x44] + udp.dropFirst()) == .badHeaderLength(16))
        var short = udp
        short[3] = 27
        #expect(error(short) == .truncated(needed: 8, have: 7))
        short[3] = 19
        #expect(error(short) == .badTotalLength(19))
        let v6 = PacketBuilder.ip(.tcp, from: Self.v6.0, to: Self.v6.1, payload: [1, 2, 3])
        #expect(error(v6) == .truncated(needed: 20, have: 3))
        #expect(error(Array(v6.dropLast())) == .badTotalLength(43))
    }

    /// The fragment of a UDP datagram that begins at `offset` bytes.
    private func fragment(v6 isV6: Bool, offset: Int, more: Bool, payload: [UInt8]) -> [UInt8] {
        if isV6 {
            let field = UInt16(offset) | (more ? 1 : 0)
            let header: [UInt8] = [17, 0, UInt8(field >> 8), UInt8(field & 0xFF), 0, 0, 0, 1]
            return PacketBuilder.ip(
                .ipv6Fragment, from: Self.v6.0, to: Self.v6.1, payload: header + payload)
        }
        var packet = PacketBuilder.ip(.udp, from: Self.v4.0, to: Self.v4.1, payload: payload)
        let field = UInt16(offset / 8) | (more ? 0x2000 : 0)
        packet[6] = UInt8(field >> 8)
        packet[7] = UInt8(field & 0xFF)
        return packet
    }

    @Test("Fragments are told apart", arguments: [false, true])
    func fragments(isV6: Bool) throws {
        let start: [UInt8] = [0, 9, 0, 10, 0, 8, 0, 0]
        var packet = try parse(fragment(v6: isV6, offset: 0, more: true, payload: start))
        #expect(packet.fragment == .first)
        #expect(packet.protocol == .udp)
        #expect(packet.sourcePort == 9 && packet.destinationPort == 10)
        packet = try parse(fragment(v6: isV6, offset: 80, more: false, payload: [1]))
        #expect(packet.fragment == .later)
        #expect(packet.protocol == .udp)
        #expect(packet.sourcePort == 0)
        packet = try parse(fragment(v6: isV6, offset: 65_528, more: false, payload: [1]))
        #expect(packet.fragment == .later)
        #expect(
            error(fragment(v6: isV6, offset: 72, more: true, payload: start))
                == .overlappingFragment(offset: 72))
        #expect(
            error(fragment(v6: isV6, offset: 0, more: true, payload: [0, 9]))
                == .truncated(needed: 8, have: 2))
        // An atomic fragment (RFC 6946) is a whole packet.
        packet = try parse(fragment(v6: isV6, offset: 0, more: false, payload: start))
        #expect(packet.fragment == .whole)
    }

    @Test func `A reversed flow is the flow of the answer`() throws {
        let a = Endpoint(Self.v4.0, port: 0x1234)
        let b = Endpoint(Self.v4.1, port: 0xABCD)
        let key = FlowKey(protocol: .udp, source: a, destination: b)
        #expect(key.reversed == FlowKey(protocol: .udp, source: b, destination: a))
        #expect(key.reversed.reversed == key)
        #expect(key.hash(secret: 1) != key.reversed.hash(secret: 1))
        #expect(key.hash(secret: 1) != key.hash(secret: 2))
        #expect(key != FlowKey(protocol: .sctp, source: a, destination: b))
    }

    @Test func `Views show every field`() throws {
        let bytes = PacketBuilder.tcp(
            from: Endpoint(Self.v4.0, port: 1), to: Endpoint(Self.v4.1, port: 2),
            flags: [.ack, .psh], sequence: 3, acknowledgement: 4, window: 5, payload: [6, 7])
        let ip = try IPv4View(bytes.span.bytes)
        let tcp = try TCPView(ip.payload)
        let isValid = ip.hasValidChecksum
        #expect(isValid)
        let header = (ip.headerByteCount, ip.totalByteCount, ip.timeToLive, ip.dontFragment)
        #expect(header == (20, 42, 64, true))
        let ports = (tcp.sourcePort, tcp.destinationPort, tcp.sequence, tcp.acknowledgement)
        #expect(ports == (1, 2, 3, 4))
        let rest = (tcp.window, tcp.flags, tcp.options.byteCount, tcp.payload.array)
        #expect(rest == (5, [.ack, .psh], 0, [6, 7]))
    }

    @Test func `No bytes make the parser or the views trap`() {
        var random = SeededGenerator(seed: 4)
        let seeds = [
            PacketBuilder.udp(
                from: Endpoint(Self.v4.0, port: 1), to: Endpoint(Self.v4.1, port: 2), payload: [1]),
            PacketBuilder.tcp(
                from: Endpoint(Self.v6.0, port: 1), to: Endpoint(Self.v6.1, port: 2), flags: .syn),
            fragment(v6: true, offset: 80, more: true, payload: [1, 2, 3]),
        ]
        var accepted = 0
        for round in 0..<20_000 {
            var bytes = seeds[round % seeds.count]
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(
                    in: 0...255, using: &random)
            }
            if round % 4 == 0 {
                bytes.removeLast(Int.random(in: 0...bytes.count / 2, using: &random))
            }
            if let packet = try? parse(bytes) {
                accepted += 1
                #expect(packet.byteCount <= bytes.count)
                #expect(packet.transportOffset <= packet.byteCount)
            }
        }
        #expect(accepted > 1000)
    }
}
