import IPPacket
import NetTypes
import PacketFilter
import Testing

@Suite struct RuleTextTests {
    @Test func `Address forms of the wire are read`() {
        func texts(_ text: String) -> [String]? {
            AddressRange.parse(text).map { $0.map(String.init(describing:)) }
        }
        #expect(AddressRange.parse("*") == AddressRange.all)
        #expect(texts("100.64.0.1") == ["100.64.0.1"])
        #expect(texts("100.64.0.0/10") == ["100.64.0.0-100.127.255.255"])
        #expect(texts("0.0.0.0/0") == ["0.0.0.0-255.255.255.255"])
        #expect(texts("10.0.0.5-10.0.1.9") == ["10.0.0.5-10.0.1.9"])
        #expect(texts("fd7a::1") == ["fd7a::1"])
        #expect(
            texts("fd7a:115c:a1e0::/48") == [
                "fd7a:115c:a1e0::-fd7a:115c:a1e0:ffff:ffff:ffff:ffff:ffff"
            ])
        #expect(AddressRange.parse("::/0") == [.allIPv6])
        for bad in ["", "host", "10.0.0.1/8", "10.0.0.9-10.0.0.1", "10.0.0.1-fd7a::1", "1.2.3.4-"] {
            #expect(AddressRange.parse(bad) == nil, "\(bad)")
        }
    }

    @Test func `Entries that cannot be read are skipped and reported`() {
        var problems: [PacketRule.Problem] = []
        let rule = PacketRule(
            sources: ["100.64.0.1", "nonsense", "cap:example.com/x", "cap:"],
            destinations: [
                .init("*", firstPort: 22, lastPort: 22), .init("x", firstPort: 1, lastPort: 1),
                .init("10.0.0.1", firstPort: 9, lastPort: 8),
            ],
            protocols: [6, 300, -1], problems: &problems)
        #expect(rule.sources == [AddressRange(.v4(IPv4Address(100, 64, 0, 1)))])
        #expect(rule.sourceCapabilities == ["example.com/x"])
        #expect(rule.destinations == AddressRange.all.map { .init($0, ports: 22...22) })
        #expect(rule.protocols == [.tcp])
        #expect(
            problems == [
                .badSource("nonsense"), .badSource("cap:"), .badDestination("x"),
                .badPorts(first: 9, last: 8), .badProtocol(300), .badProtocol(-1),
            ])
    }

    @Test func `No protocol means the four usual ones, unreadable ones mean none`() {
        var problems: [PacketRule.Problem] = []
        let usual = PacketRule(sources: [], destinations: [], protocols: [], problems: &problems)
        let none = PacketRule(sources: [], destinations: [], protocols: [256], problems: &problems)
        #expect(usual.protocols == [.icmpv4, .tcp, .udp, .icmpv6])
        #expect(none.protocols == [])
    }

    @Test func `Sets subtract and join`() {
        let all = AddressSet(AddressRange.all)
        let lan = AddressSet([IPPrefix("192.168.0.0/16")!, IPPrefix("fd00::/8")!])
        let rest = all.subtracting(lan)
        for (text, isIn) in [
            ("192.167.255.255", true), ("192.168.0.0", false), ("192.168.255.255", false),
            ("192.169.0.0", true), ("fd00::", false), ("fe00::", true), ("::", true),
        ] {
            #expect(rest.contains(IPAddress(text)!) == isIn, "\(text)")
        }
        #expect(rest.union(lan) == all)
        #expect(all.subtracting(all).isEmpty)
    }
}
