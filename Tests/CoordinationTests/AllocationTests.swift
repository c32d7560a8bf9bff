import ControlMessages
import Coordination
import NetTypes
import Testing

@Suite struct AllocationTests {
    @Test func addressesAreUniqueInRangeAndNeverReserved() throws {
        // The range begins just before the addresses of MagicDNS.
        let network = TestNetwork { $0.ipv4Range = IPPrefix("100.100.96.0/21")! }
        var seen: Set<IPPrefix> = []
        let reserved = IPPrefix("100.100.100.0/24")!
        let key = network.key { $0.isReusable = true }
        for number in 1...1700 {
            let request = RegisterRequest(
                nodeKey: nodeKey(number), authKey: key, hostinfo: hostinfo("h"))
            let response = network.respond(request, machine: number)
            #expect(response.error == "")
            let node = try #require(network.record(number))
            for address in node.addresses {
                let isNew = seen.insert(address).inserted
                #expect(isNew)
            }
            let ipv4 = try #require(node.ipv4)
            #expect(IPPrefix("100.100.96.0/21")!.contains(.v4(ipv4)))
            #expect(!reserved.contains(.v4(ipv4)))
        }
    }

    @Test func theMagicDNSAddressIsLeftOut() {
        let network = TestNetwork { $0.ipv4Range = nil }
        for number in 1...0x60 { network.join(number) }
        let addresses = network.coordinator.state.sortedNodes.compactMap(\.ipv6)
        #expect(Set(addresses).count == 0x60)
        #expect(!addresses.contains(IPv6Address("fd7a:115c:a1e0::53")!))
    }

    @Test func aFreedAddressIsNotTheNextOneGiven() throws {
        let network = TestNetwork()
        for number in 1...3 { network.join(number) }
        let freed = network.record(2)?.ipv4
        network.store(try network.coordinator.deleteNode("host2"))
        network.join(4)
        #expect(network.record(4)?.ipv4 == IPv4Address(100, 64, 0, 4))
        #expect(network.record(4)?.ipv4 != freed)
    }

    @Test func aSmallRangeIsUsedUpAndThenAgain() throws {
        let network = TestNetwork {
            $0.ipv4Range = IPPrefix("100.64.0.0/29")!
            $0.ipv6Range = nil
        }
        for number in 1...6 { network.join(number) }
        let addresses = network.coordinator.state.sortedNodes.compactMap(\.ipv4)
        #expect(addresses == (1...6).map { IPv4Address(100, 64, 0, $0) })
        network.store(try network.coordinator.deleteNode("host3"))
        network.join(7)
        #expect(network.record(7)?.ipv4 == IPv4Address(100, 64, 0, 3))
    }

    @Test(arguments: [
        "100.100.100.128/25", "100.100.100.0/24", "100.115.92.0/24", "100.64.0.7/32",
    ])
    func rangesThatAreReservedAltogetherAreExhaustedFromTheStart(range: String) {
        let network = TestNetwork { $0.ipv4Range = IPPrefix(range)! }
        let request = RegisterRequest(
            nodeKey: nodeKey(1), authKey: network.key(), hostinfo: hostinfo("h"))
        let response = network.respond(request, machine: 1)
        let isSingle = range.hasSuffix("/32")
        #expect(response.error.contains("no free address") == !isSingle)
    }

    @Test func idsNeverComeBack() throws {
        let network = TestNetwork()
        network.join(1)
        network.join(2)
        network.store(try network.coordinator.deleteNode("2"))
        #expect(network.join(3).id == NodeID(3))
    }

    @Test(arguments: [
        ("Annas-MacBook.local", "annas-macbook"), ("DESKTOP_1", "desktop-1"), ("büro", "bro"),
        ("a.b@c d", "a-b-c-d"), ("...x-...", "x"), ("", "node"), ("日本", "node"), ("-", "node"),
        ("host.lan", "host"), ("HOST.LOCALDOMAIN", "host"), (".local", "local"),
        (String(repeating: "a", count: 80), String(repeating: "a", count: 63)),
        (String(repeating: "a", count: 62) + "-b", String(repeating: "a", count: 62)),
    ])
    func hostNamesBecomeLabels(hostname: String, label: String) {
        #expect(NodeName.label(fromHostname: hostname) == label)
        #expect(NodeName.isLabel(NodeName.label(fromHostname: hostname)))
    }

    @Test func namesAreUniqueWithinTheirLength() {
        let network = TestNetwork()
        let long = String(repeating: "a", count: 63)
        for number in 1...12 { network.join(number, hostname: long) }
        let names = network.coordinator.state.sortedNodes.map(\.name)
        #expect(names[0] == long)
        #expect(names[1] == String(repeating: "a", count: 61) + "-1")
        #expect(Set(names).count == 12)
        #expect(names.allSatisfy { $0.utf8.count <= 63 })
    }

    @Test func aNameFollowsTheHostNameUnlessItWasChosen() throws {
        let network = TestNetwork()
        network.join(1, hostname: "one")
        network.join(2, hostname: "two")
        network.tell(1) { $0.hostinfo = hostinfo("two") }
        #expect(network.record(1)?.name == "two-1")
        // Telling the same again changes nothing.
        network.tell(1) { $0.hostinfo = hostinfo("two") }
        #expect(network.record(1)?.name == "two-1")
        network.store(try network.coordinator.renameNode("two-1", to: "mine"))
        network.tell(1) { $0.hostinfo = hostinfo("three") }
        #expect(network.record(1)?.name == "mine")
    }

    @Test(arguments: [
        ("100.64.0.0/10", 64, "64.100.in-addr.arpa", "127.100.in-addr.arpa"),
        ("100.64.0.0/16", 1, "64.100.in-addr.arpa", "64.100.in-addr.arpa"),
        ("100.64.8.0/22", 4, "8.64.100.in-addr.arpa", "11.64.100.in-addr.arpa"),
        (
            "fd7a:115c:a1e0::/48", 1, "0.e.1.a.c.5.1.1.a.7.d.f.ip6.arpa",
            "0.e.1.a.c.5.1.1.a.7.d.f.ip6.arpa"
        ),
        (
            "fd7a:115c:a1e0:10::/62", 4, "0.1.0.0.0.e.1.a.c.5.1.1.a.7.d.f.ip6.arpa",
            "3.1.0.0.0.e.1.a.c.5.1.1.a.7.d.f.ip6.arpa"
        ),
    ])
    func reverseZonesCoverAPrefix(prefix: String, count: Int, first: String, last: String) {
        let zones = reverseZones(of: IPPrefix(prefix)!)
        #expect(zones.count == count)
        #expect(zones.first == first)
        #expect(zones.last == last)
    }
}
