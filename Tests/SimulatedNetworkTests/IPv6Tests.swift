import NetTypes
import SimulatedNetwork
import Testing

@Suite("simulated IPv6, firewalls and NAT64")
struct IPv6Tests {
    private let inside = address("2001:db8:1::2")
    private let outsiders = [address("2001:db8:2::1"), address("2001:db8:2::2")]

    private struct World: ~Copyable {
        var network: SimulatedNetwork
        let inside: SimulatedNetwork.HostID
        let outside: SimulatedNetwork.HostID
    }

    private func world(_ behavior: RouterBehavior, behindAnother: Bool = true) -> World {
        var network = SimulatedNetwork(seed: 1)
        let link = SimulatedNetwork.Link(delay: .milliseconds(1))
        let above = behindAnother ? network.addRouter(.open6, outside: []) : nil
        let home = network.addRouter(
            behavior, outside: [address("203.0.113.5")], behind: above)
        let host = network.addHost([inside], behind: home, link: link)
        let outside = network.addHost(outsiders + [address("198.51.100.1")], link: link)
        return World(network: network, inside: host, outside: outside)
    }

    private func admits(_ world: inout World, from source: Int, port: UInt16) -> Bool {
        world.network.send(
            [1], from: world.outside, port: port, to: Endpoint(inside, port: 5),
            by: outsiders[source])
        return world.network.next(until: world.network.now + .seconds(1)) != nil
    }

    @Test("without a firewall anybody reaches a host, two networks down")
    func open() {
        var world = world(.open6)
        let isOpen = admits(&world, from: 0, port: 1)
        #expect(isOpen)
    }

    @Test(
        "a stateful firewall lets in whom its kind says, after something went out",
        arguments: NATBehavior.Dependence.allCases)
    func firewall(kind: NATBehavior.Dependence) {
        var behavior = RouterBehavior.easy
        behavior.ipv6Filtering = kind
        var world = world(behavior)
        let early = admits(&world, from: 0, port: 1)
        #expect(!early)
        world.network.send(
            [2], from: world.inside, port: 5, to: Endpoint(outsiders[0], port: 1))
        let out = world.network.next(until: world.network.now + .seconds(1))
        guard case .datagram(_, _, let source, _) = out else {
            Issue.record("nothing came out")
            return
        }
        #expect(source == Endpoint(inside, port: 5), "not translated")
        let same = admits(&world, from: 0, port: 1)
        let otherPort = admits(&world, from: 0, port: 2)
        let otherAddress = admits(&world, from: 1, port: 1)
        #expect(same)
        #expect(otherPort == (kind != .addressAndPortDependent))
        #expect(otherAddress == (kind == .endpointIndependent))
        _ = world.network.next(until: world.network.now + .minutes(5))
        let late = admits(&world, from: 0, port: 1)
        #expect(!late, "the way closes with time")
    }

    @Test("NAT64 translates both ways, and hides the host as a NAT does")
    func nat64() throws {
        let prefix = try #require(IPv6Address("64:ff9b::"))
        var behavior = RouterBehavior.easy
        behavior.nat64Prefix = prefix
        var world = world(behavior, behindAnother: false)
        let server = Endpoint(address("198.51.100.1"), port: 9)
        world.network.send(
            [2], from: world.inside, port: 5,
            to: Endpoint(address("64:ff9b::198.51.100.1"), port: 9))
        let out = world.network.next(until: world.network.now + .seconds(1))
        guard case .datagram(_, let local, let source, _) = out else {
            Issue.record("nothing came out")
            return
        }
        #expect(local == server)
        #expect(source == Endpoint(address("203.0.113.5"), port: 5))
        world.network.send([3], from: world.outside, port: 9, to: source)
        let back = world.network.next(until: world.network.now + .seconds(1))
        #expect(
            back
                == .datagram(
                    to: world.inside, local: Endpoint(inside, port: 5),
                    from: Endpoint(address("64:ff9b::198.51.100.1"), port: 9), payload: [3]))
        world.network.send([4], from: world.outside, port: 10, to: source)
        let other = world.network.next(until: world.network.now + .seconds(1))
        #expect(other == nil, "another port than was sent to")
    }

    @Test("without NAT64 nothing leads from IPv6 to IPv4")
    func noNAT64() {
        var world = world(.easy)
        world.network.send(
            [2], from: world.inside, port: 5,
            to: Endpoint(address("64:ff9b::198.51.100.1"), port: 9))
        world.network.send(
            [2], from: world.inside, port: 5, to: Endpoint(address("198.51.100.1"), port: 9))
        let out = world.network.next(until: world.network.now + .seconds(1))
        #expect(out == nil && world.network.lostCount(.noRoute) == 2)
    }

    @Test("a host that moves is found by IPv6 where it is and no longer where it was")
    func move() {
        var world = world(.open6)
        let link = SimulatedNetwork.Link(delay: .milliseconds(1))
        let elsewhere = world.network.addRouter(.open6, outside: [], link: link)
        let new = address("2001:db8:9::2")
        world.network.move(world.inside, to: [new], behind: elsewhere)
        let old = admits(&world, from: 0, port: 1)
        #expect(!old)
        world.network.send([1], from: world.outside, port: 1, to: Endpoint(new, port: 5))
        let arrival = world.network.next(until: world.network.now + .seconds(1))
        #expect(arrival != nil)
    }
}

extension RouterBehavior {
    fileprivate static var open6: Self {
        var behavior = Self()
        behavior.ipv6Filtering = nil
        return behavior
    }
}
