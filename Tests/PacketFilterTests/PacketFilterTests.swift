import IPPacket
import NetTypes
import PacketFilter
import Testing

/// Every branch of the decisions in data-protocol, "Packet filter on the node".
@Suite struct PacketFilterTests {
    static let own = IPAddress("100.64.0.1")!
    static let peer = IPAddress("100.64.0.2")!
    static let other = IPAddress("100.64.0.3")!
    static let own6 = IPAddress("fd7a:115c:a1e0::1")!
    static let peer6 = IPAddress("fd7a:115c:a1e0::2")!

    private static let local = AddressSet([
        IPPrefix(host: own), IPPrefix(host: own6), IPPrefix("192.168.7.0/24")!,
    ])

    /// A filter in which `rules` hold.
    private func filter(
        _ rules: [PacketRule], shieldsUp: Bool = false, openEndpoints: [Endpoint] = [],
        flowCapacity: Int = PacketFilter.flowCapacity
    ) -> PacketFilter {
        var filter = PacketFilter(flowSecret: 7, flowCapacity: flowCapacity)
        filter.install(
            FilterTable(
                compiling: FilterConfiguration(
                    rules: rules, localDestinations: Self.local, shieldsUp: shieldsUp,
                    openEndpoints: openEndpoints)))
        return filter
    }

    private static let allowAll = PacketRule(
        sources: AddressRange.all, destinations: AddressRange.all.map { .init($0) })
    private static let webFromPeer = PacketRule(
        sources: [AddressRange(peer)], destinations: [.init(AddressRange(own), ports: 80...443)])

    private func udp(_ from: IPAddress, _ fromPort: UInt16, _ to: IPAddress, _ toPort: UInt16)
        -> [UInt8]
    {
        PacketBuilder.udp(
            from: Endpoint(from, port: fromPort), to: Endpoint(to, port: toPort), payload: [1])
    }
    private func tcp(_ from: IPAddress, _ to: IPAddress, _ port: UInt16, _ flags: TCPFlags = .syn)
        -> [UInt8]
    {
        PacketBuilder.tcp(
            from: Endpoint(from, port: 40_000), to: Endpoint(to, port: port), flags: flags)
    }
    private func inbound(
        _ filter: inout PacketFilter, _ packet: [UInt8], isJailed: Bool = false
    ) -> PacketFilter.Verdict {
        filter.checkInbound(packet.span.bytes, isJailed: isJailed)
    }
    private func outbound(
        _ filter: inout PacketFilter, _ packet: [UInt8]
    ) -> PacketFilter.Verdict {
        filter.checkOutbound(packet.span.bytes)
    }

    @Test func `Before the first rules nothing comes in`() {
        var filter = PacketFilter(flowSecret: 1)
        let verdicts = [
            inbound(&filter, tcp(Self.peer, Self.own, 80)),
            inbound(&filter, udp(Self.peer, 1, Self.own, 2)),
            inbound(&filter, tcp(Self.peer, Self.own, 80, .ack)),
        ]
        #expect(verdicts == Array(repeating: .drop(.destinationNotLocal), count: 3))
        let out = outbound(&filter, tcp(Self.own, Self.peer, 80))
        #expect(out == .accept)
        let dropped = filter.inbound.dropped(.destinationNotLocal)
        #expect(dropped == 3)
    }

    @Test func `No rules means no beginnings`() {
        var filter = filter([])
        let syn = inbound(&filter, tcp(Self.peer, Self.own, 80))
        let datagram = inbound(&filter, udp(Self.peer, 1, Self.own, 2))
        #expect(syn == .drop(.noRule) && datagram == .drop(.noRule))
    }

    @Test func `A SYN needs a rule for its source, destination and port`() {
        var filter = filter([Self.webFromPeer])
        func verdict(_ filter: inout PacketFilter, _ from: IPAddress, _ port: UInt16)
            -> PacketFilter.Verdict
        { inbound(&filter, tcp(from, Self.own, port)) }
        let verdicts = [
            verdict(&filter, Self.peer, 79), verdict(&filter, Self.peer, 80),
            verdict(&filter, Self.peer, 443), verdict(&filter, Self.peer, 444),
            verdict(&filter, Self.other, 80),
        ]
        #expect(
            verdicts == [.drop(.noRule), .accept, .accept, .drop(.noRule), .drop(.noRule)])
    }

    @Test func `What belongs to a TCP connection comes in without a rule`() {
        var filter = filter([])
        for flags: TCPFlags in [.ack, [.syn, .ack], .rst, .fin, []] {
            let verdict = inbound(&filter, tcp(Self.peer, Self.own, 80, flags))
            #expect(verdict == .accept)
        }
        let verdict = inbound(&filter, tcp(Self.peer, Self.own, 80, [.syn, .psh]))
        #expect(verdict == .drop(.noRule))
    }

    @Test("Datagrams answer what went out", arguments: [IPProtocol.udp, .sctp])
    func answers(number: IPProtocol) {
        func datagram(_ from: IPAddress, _ fromPort: UInt16, _ to: IPAddress, _ toPort: UInt16)
            -> [UInt8]
        {
            var payload: [UInt8] = []
            payload.appendBigEndian(fromPort)
            payload.appendBigEndian(toPort)
            return PacketBuilder.ip(
                number, from: from, to: to, payload: payload + [UInt8](repeating: 0, count: 8))
        }
        var filter = filter([])
        let before = inbound(&filter, datagram(Self.peer, 53, Self.own, 5000))
        _ = outbound(&filter, datagram(Self.own, 5000, Self.peer, 53))
        let answer = inbound(&filter, datagram(Self.peer, 53, Self.own, 5000))
        let otherPort = inbound(&filter, datagram(Self.peer, 54, Self.own, 5000))
        let otherPeer = inbound(&filter, datagram(Self.other, 53, Self.own, 5000))
        #expect(before == .drop(.noRule))
        #expect(answer == .accept)
        #expect(otherPort == .drop(.noRule) && otherPeer == .drop(.noRule))
        filter.forgetFlows()
        let after = inbound(&filter, datagram(Self.peer, 53, Self.own, 5000))
        #expect(after == .drop(.noRule))
    }

    @Test func `An inbound packet opens no way back in for others`() {
        var filter = filter([Self.allowAll])
        _ = inbound(&filter, udp(Self.peer, 1, Self.own, 2))
        filter.install(
            FilterTable(compiling: FilterConfiguration(localDestinations: Self.local)))
        let verdict = inbound(&filter, udp(Self.peer, 1, Self.own, 2))
        #expect(verdict == .drop(.noRule))
    }

    @Test func `Flows survive new rules and the oldest gives way when there are too many`() {
        var filter = filter([], flowCapacity: 8)
        for port in 1...8 as ClosedRange<UInt16> {
            _ = outbound(&filter, udp(Self.own, port, Self.peer, 53))
        }
        filter.install(
            FilterTable(compiling: FilterConfiguration(localDestinations: Self.local)))
        // The answer to the first makes the second the oldest.
        let first = inbound(&filter, udp(Self.peer, 53, Self.own, 1))
        _ = outbound(&filter, udp(Self.own, 9, Self.peer, 53))
        let again = inbound(&filter, udp(Self.peer, 53, Self.own, 1))
        let second = inbound(&filter, udp(Self.peer, 53, Self.own, 2))
        let ninth = inbound(&filter, udp(Self.peer, 53, Self.own, 9))
        #expect(first == .accept && again == .accept && ninth == .accept)
        #expect(second == .drop(.noRule))
    }

    @Test func `Echo replies and errors come in, requests where any port is open`() {
        var filter = filter([Self.webFromPeer])
        func echo(_ from: IPAddress, reply: Bool) -> [UInt8] {
            PacketBuilder.echo(
                isReply: reply, from: from, to: from.isIPv4 ? Self.own : Self.own6, identifier: 1,
                sequence: 1)
        }
        func icmp(_ type: UInt8, _ from: IPAddress) -> [UInt8] {
            PacketBuilder.icmp(
                type: type, code: 0, rest: 0, from: from, to: from.isIPv4 ? Self.own : Self.own6,
                payload: [])
        }
        let replies = [
            inbound(&filter, echo(Self.other, reply: true)),
            inbound(&filter, echo(Self.peer6, reply: true)),
            inbound(&filter, icmp(3, Self.other)), inbound(&filter, icmp(11, Self.other)),
            inbound(&filter, icmp(1, Self.peer6)), inbound(&filter, icmp(2, Self.peer6)),
        ]
        #expect(replies == Array(repeating: .accept, count: 6))
        let requests = [
            inbound(&filter, echo(Self.peer, reply: false)),
            inbound(&filter, echo(Self.other, reply: false)),
            inbound(&filter, echo(Self.peer6, reply: false)),
            inbound(&filter, icmp(5, Self.other)), inbound(&filter, icmp(137, Self.peer6)),
        ]
        #expect(requests == [.accept] + Array(repeating: .drop(.noRule), count: 4))
        // ICMPv6 over IPv4 is neither.
        let strange = inbound(
            &filter,
            PacketBuilder.ip(
                .icmpv6, from: Self.peer, to: Self.own, payload: [129, 0, 0, 0, 0, 0, 0, 0]))
        #expect(strange == .drop(.unknownProtocol))
    }

    @Test func `A rule for TCP alone opens the echo but not UDP`() {
        var rule = Self.webFromPeer
        rule.protocols = [.tcp]
        var filter = filter([rule])
        let echo = inbound(
            &filter,
            PacketBuilder.echo(from: Self.peer, to: Self.own, identifier: 1, sequence: 1))
        let datagram = inbound(&filter, udp(Self.peer, 1, Self.own, 80))
        let syn = inbound(&filter, tcp(Self.peer, Self.own, 80))
        #expect(echo == .accept && syn == .accept)
        #expect(datagram == .drop(.noRule))
    }

    @Test func `Other protocols need a rule that names them and allows all ports`() {
        func gre(_ to: IPAddress) -> [UInt8] {
            PacketBuilder.ip(
                IPProtocol(rawValue: 47), from: Self.peer, to: to, payload: [0, 0, 0, 0])
        }
        let named = PacketRule(
            sources: [AddressRange(Self.peer)], destinations: [.init(AddressRange(Self.own))],
            protocols: [IPProtocol(rawValue: 47)])
        let somePorts = PacketRule(
            sources: named.sources,
            destinations: [.init(AddressRange(Self.own), ports: 0...65_534)],
            protocols: named.protocols)
        var byDefault = filter([Self.allowAll])
        var byName = filter([named])
        var byPorts = filter([somePorts])
        let verdicts = [
            inbound(&byDefault, gre(Self.own)), inbound(&byName, gre(Self.own)),
            inbound(&byPorts, gre(Self.own)),
        ]
        #expect(
            verdicts == [.drop(.unknownProtocol), .accept, .drop(.unknownProtocol)])
    }

    @Test func `TSMP comes in from peers and does not go out from the host`() {
        var filter = filter([])
        let inward = inbound(
            &filter, PacketBuilder.tsmp(.ping(token: 1), from: Self.peer, to: Self.own))
        let outward = outbound(
            &filter, PacketBuilder.tsmp(.ping(token: 1), from: Self.own, to: Self.peer))
        #expect(inward == .accept)
        #expect(outward == .drop(.tsmpFromHost))
    }

    @Test func `Multicast and link-local go nowhere, the metadata service excepted`() {
        let local = AddressSet(AddressRange.all)
        var filter = PacketFilter(flowSecret: 1)
        filter.install(
            FilterTable(
                compiling: FilterConfiguration(rules: [Self.allowAll], localDestinations: local)))
        let destinations: [(String, PacketFilter.Verdict)] = [
            ("224.0.0.251", .drop(.multicast)), ("169.254.1.1", .drop(.linkLocal)),
            ("169.254.169.254", .accept),
        ]
        for (text, expected) in destinations {
            let packet = udp(Self.peer, 1, IPAddress(text)!, 2)
            let verdicts = [inbound(&filter, packet), outbound(&filter, packet)]
            #expect(verdicts == [expected, expected], "\(text)")
        }
        let destinations6: [(String, PacketFilter.Verdict)] = [
            ("ff02::fb", .drop(.multicast)), ("fe80::1", .drop(.linkLocal)),
        ]
        for (text, expected) in destinations6 {
            let packet = udp(Self.peer6, 1, IPAddress(text)!, 2)
            let verdicts = [inbound(&filter, packet), outbound(&filter, packet)]
            #expect(verdicts == [expected, expected], "\(text)")
        }
    }

    @Test func `Only local destinations are entered, advertised routes among them`() {
        var filter = filter([Self.allowAll])
        let verdicts = ["100.64.0.9", "192.168.7.200", "192.168.8.1", "8.8.8.8"].map {
            inbound(&filter, tcp(Self.peer, IPAddress($0)!, 80))
        }
        #expect(
            verdicts == [
                .drop(.destinationNotLocal), .accept, .drop(.destinationNotLocal),
                .drop(.destinationNotLocal),
            ])
    }

    @Test func `Later fragments come in, junk and headless first ones do not`() {
        var filter = filter([Self.webFromPeer])
        func fragment(_ offset: UInt16, more: Bool, _ payload: [UInt8]) -> [UInt8] {
            var packet = PacketBuilder.ip(.udp, from: Self.other, to: Self.own, payload: payload)
            packet[6] = UInt8((offset / 8) >> 8) | (more ? 0x20 : 0)
            packet[7] = UInt8((offset / 8) & 0xFF)
            return packet
        }
        let verdicts = [
            inbound(&filter, fragment(80, more: true, [1, 2])),
            inbound(&filter, fragment(72, more: true, [1, 2])),
            inbound(&filter, fragment(0, more: true, [1, 2])),
            inbound(&filter, fragment(0, more: true, [0, 9, 0, 80, 0, 8, 0, 0])),
        ]
        #expect(
            verdicts == [.accept, .drop(.malformed), .drop(.malformed), .drop(.noRule)])
    }

    @Test func `Shields up lets only answers and the PeerAPI in`() {
        let peerAPI = Endpoint(Self.own, port: 8001)
        var filter = filter([Self.allowAll], shieldsUp: true, openEndpoints: [peerAPI])
        _ = outbound(&filter, udp(Self.own, 1, Self.peer, 53))
        let verdicts = [
            inbound(&filter, tcp(Self.peer, Self.own, 80)),
            inbound(&filter, tcp(Self.peer, Self.own, 8001)),
            inbound(&filter, udp(Self.peer, 9, Self.own, 8001)),
            inbound(&filter, tcp(Self.peer, Self.own, 80, .ack)),
            inbound(&filter, udp(Self.peer, 53, Self.own, 1)),
        ]
        #expect(
            verdicts == [
                .drop(.shieldsUp), .accept, .drop(.shieldsUp), .accept, .accept,
            ])
    }

    @Test func `A jailed peer may answer and not ask`() {
        var filter = filter([Self.allowAll])
        _ = outbound(&filter, udp(Self.own, 1, Self.peer, 53))
        let verdicts = [
            inbound(&filter, tcp(Self.peer, Self.own, 80), isJailed: true),
            inbound(&filter, tcp(Self.peer, Self.own, 80, .ack), isJailed: true),
            inbound(&filter, udp(Self.peer, 53, Self.own, 1), isJailed: true),
            inbound(&filter, tcp(Self.peer, Self.own, 80)),
        ]
        #expect(verdicts == [.drop(.jailed), .accept, .accept, .accept])
    }

    @Test func `Who may not connect over IPv4 is told why`() throws {
        let filter = filter([])
        let syn = tcp(Self.peer, Self.own, 80)
        let packet = try ParsedPacket(syn.span.bytes)
        let told = [
            filter.rejection(of: packet, reason: .noRule),
            filter.rejection(of: packet, reason: .shieldsUp),
            filter.rejection(of: packet, reason: .destinationNotLocal),
        ]
        func reject(_ reason: TSMPMessage.RejectReason) -> TSMPMessage {
            .reject(
                .tcp, reason: reason, sourcePort: 40_000, destinationPort: 80, maybeBroken: false)
        }
        #expect(told == [reject(.accessDenied), reject(.shieldsUp), nil])
        let syn6 = tcp(Self.peer6, Self.own6, 80)
        let packet6 = try ParsedPacket(syn6.span.bytes)
        let silence = filter.rejection(of: packet6, reason: .noRule)
        #expect(silence == nil)
    }

    @Test func `Sources named by a capability are those that hold it`() {
        let rule = PacketRule(
            sources: [], sourceCapabilities: ["example.com/cap/web"],
            destinations: [.init(AddressRange(Self.own), ports: 80...80)])
        var filter = PacketFilter(flowSecret: 1)
        filter.install(
            FilterTable(
                compiling: FilterConfiguration(
                    rules: [rule], localDestinations: Self.local,
                    capabilityHolders: [
                        "example.com/cap/web": AddressSet([IPPrefix(host: Self.peer)])
                    ])))
        let holder = inbound(&filter, tcp(Self.peer, Self.own, 80))
        let stranger = inbound(&filter, tcp(Self.other, Self.own, 80))
        #expect(holder == .accept)
        #expect(stranger == .drop(.noRule))
    }

    @Test func `Verdicts are counted`() {
        var filter = filter([Self.webFromPeer])
        _ = inbound(&filter, tcp(Self.peer, Self.own, 80))
        _ = inbound(&filter, tcp(Self.other, Self.own, 80))
        _ = inbound(&filter, [1, 2, 3])
        _ = outbound(&filter, udp(Self.own, 1, Self.peer, 53))
        let counted = (
            filter.inbound.accepted, filter.inbound.dropped, filter.inbound.dropped(.malformed),
            filter.outbound.accepted
        )
        #expect(counted == (1, 2, 1, 1))
    }
}
