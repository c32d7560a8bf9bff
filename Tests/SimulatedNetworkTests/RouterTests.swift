import NetTypes
import SimulatedNetwork
import Testing

private func address(_ text: String) -> IPAddress { IPAddress(text)! }

/// One host behind a router, and two servers with two ports each on the internet.
private struct Scene {
    var network = SimulatedNetwork(seed: 3)
    let router: SimulatedNetwork.RouterID
    let inside: SimulatedNetwork.HostID
    private(set) var servers: [SimulatedNetwork.HostID] = []
    static let serverAddresses = [address("198.51.100.1"), address("198.51.100.2")]
    static let outside = address("203.0.113.9")

    init(_ behavior: RouterBehavior) {
        let link = SimulatedNetwork.Link(delay: .milliseconds(1))
        router = network.addRouter(behavior, outside: [Self.outside])
        inside = network.addHost([address("192.168.1.2")], behind: router, link: link)

        let hosts = Self.serverAddresses.map { network.addHost([$0], link: link) }
        servers = hosts
    }

    /// Where the server sees a datagram from the inside port 5000; nil when it does not come.
    mutating func mapping(to server: Int, port: UInt16) -> Endpoint? {
        network.send(
            [1], from: inside, port: 5_000, to: Endpoint(Self.serverAddresses[server], port: port))
        guard
            case .datagram(_, _, let from, _) = network.next(until: network.now + .seconds(1))
        else { return nil }
        return from
    }

    mutating func reachesInside(from server: Int, port: UInt16, to endpoint: Endpoint) -> Bool {
        network.send([2], from: servers[server], port: port, to: endpoint)
        return network.next(until: network.now + .seconds(1)) != nil
    }
}

@Suite("simulated routers")
struct RouterTests {
    @Test("an easy NAT has one mapping for all destinations and keeps the port")
    func easy() {
        var scene = Scene(.easy)
        let first = scene.mapping(to: 0, port: 1)
        let second = scene.mapping(to: 1, port: 1)
        #expect(first == Endpoint(Scene.outside, port: 5_000))
        #expect(first == second)
    }

    @Test("a hard NAT has another mapping for each destination, and keeps to it")
    func hard() {
        var scene = Scene(.hard)
        let first = scene.mapping(to: 0, port: 1)
        let other = scene.mapping(to: 0, port: 2)
        let again = scene.mapping(to: 0, port: 1)
        #expect(first != nil && other != nil && first != other)
        #expect(first == again)
    }

    @Test("an address-dependent mapping tells addresses apart but not ports")
    func addressDependent() {
        var behavior = RouterBehavior.hard
        behavior.mapping = .addressDependent
        behavior.allocation = .sequential
        var scene = Scene(behavior)
        let first = scene.mapping(to: 0, port: 1)
        let port = scene.mapping(to: 0, port: 2)
        let address = scene.mapping(to: 1, port: 1)
        #expect(first == port)
        #expect(first != address)
        #expect(address.map { Int($0.port) } == first.map { Int($0.port) + 1 })
    }

    @Test(
        "filtering lets in exactly whom its kind says",
        arguments: RouterBehavior.Dependence.allCases)
    func filtering(kind: RouterBehavior.Dependence) throws {
        var behavior = RouterBehavior.easy
        behavior.filtering = kind
        var scene = Scene(behavior)
        let mapped = scene.mapping(to: 0, port: 1)
        let outside = try #require(mapped)
        let same = scene.reachesInside(from: 0, port: 1, to: outside)
        let otherPort = scene.reachesInside(from: 0, port: 2, to: outside)
        let otherAddress = scene.reachesInside(from: 1, port: 1, to: outside)
        #expect(same)
        #expect(otherPort == (kind != .addressAndPortDependent))
        #expect(otherAddress == (kind == .endpointIndependent))
    }

    @Test("a mapping lives as long as it is said to, and use renews it")
    func lifetime() throws {
        var behavior = RouterBehavior.easy
        behavior.mappingLifetime = .seconds(30)
        var scene = Scene(behavior)
        let mapped = scene.mapping(to: 0, port: 1)
        let outside = try #require(mapped)
        for _ in 0..<3 {
            _ = scene.network.next(until: scene.network.now + .seconds(25))
            let isOpen = scene.reachesInside(from: 0, port: 1, to: outside)
            #expect(isOpen)
        }
        _ = scene.network.next(until: scene.network.now + .seconds(31))
        let isOpen = scene.reachesInside(from: 0, port: 1, to: outside)
        #expect(!isOpen)
    }

    @Test("neighbours reach each other directly, and by their outside only where the NAT hairpins")
    func hairpin() throws {
        for hairpins in [false, true] {
            var behavior = RouterBehavior.easy
            behavior.hairpins = hairpins
            behavior.filtering = .endpointIndependent
            var scene = Scene(behavior)
            let mapped = scene.mapping(to: 0, port: 1)
            let outside = try #require(mapped)
            let neighbour = scene.network.addHost(
                [address("192.168.1.3")], behind: scene.router,
                link: SimulatedNetwork.Link(delay: .zero))
            scene.network.send([3], from: neighbour, port: 7, to: outside)
            let arrival = scene.network.next(until: scene.network.now + .seconds(1))
            #expect((arrival != nil) == hairpins)
            scene.network.send(
                [3], from: neighbour, port: 7, to: Endpoint(address("192.168.1.2"), port: 5_000))
            let direct = scene.network.next(until: scene.network.now + .seconds(1))
            #expect(direct != nil)
        }
    }

    @Test("IPv6 passes untranslated, and in only after it went out")
    func ipv6() {
        var network = SimulatedNetwork(seed: 1)
        let link = SimulatedNetwork.Link(delay: .milliseconds(1))
        let router = network.addRouter(.easy, outside: [Scene.outside])
        let inside = network.addHost([address("2001:db8:1::2")], behind: router, link: link)
        let outside = network.addHost([address("2001:db8:2::2")], link: link)
        let insideEndpoint = Endpoint(address("2001:db8:1::2"), port: 5)
        let outsideEndpoint = Endpoint(address("2001:db8:2::2"), port: 6)
        network.send([1], from: outside, port: 6, to: insideEndpoint)
        let early = network.next(until: network.now + .seconds(1))
        #expect(early == nil)
        network.send([2], from: inside, port: 5, to: outsideEndpoint)
        let out = network.next(until: network.now + .seconds(1))
        #expect(
            out
                == .datagram(
                    to: outside, local: outsideEndpoint, from: insideEndpoint, payload: [2]))
        network.send([3], from: outside, port: 6, to: insideEndpoint)
        let back = network.next(until: network.now + .seconds(1))
        #expect(
            back
                == .datagram(to: inside, local: insideEndpoint, from: outsideEndpoint, payload: [3])
        )
    }

    @Test("two levels of NAT translate twice and find the way back")
    func twoLevels() throws {
        var network = SimulatedNetwork(seed: 1)
        let link = SimulatedNetwork.Link(delay: .milliseconds(1))
        let carrier = network.addRouter(.easy, outside: [address("203.0.113.1")])
        let home = network.addRouter(.easy, outside: [address("100.64.0.2")], behind: carrier)
        let inside = network.addHost([address("192.168.1.2")], behind: home, link: link)
        let server = network.addHost([address("198.51.100.1")], link: link)
        network.send([1], from: inside, port: 5, to: Endpoint(address("198.51.100.1"), port: 6))
        let out = network.next(until: network.now + .seconds(1))
        guard case .datagram(_, _, let from, _) = out else {
            Issue.record("nothing arrived")
            return
        }
        #expect(from.address == address("203.0.113.1"))
        network.send([2], from: server, port: 6, to: from)
        let back = network.next(until: network.now + .seconds(1))
        guard case .datagram(let host, _, _, let payload) = back else {
            Issue.record("nothing came back")
            return
        }
        #expect(host == inside && payload == [2])
    }

    @Test("blocked UDP stays inside; the relay works all the same")
    func blocked() {
        var scene = Scene(.udpBlocked)
        let mapped = scene.mapping(to: 0, port: 1)
        #expect(mapped == nil)
        let key = NodeKey(Bytes32(Array(repeating: 1, count: 32)))
        scene.network.addRelay(region: 9, delay: .milliseconds(5))
        scene.network.connect(key, on: scene.servers[0], toRelays: [9])
        scene.network.relay([5], region: 9, from: .zero, on: scene.inside, to: key)
        let arrival = scene.network.next(until: scene.network.now + .seconds(1))
        #expect(arrival == .relayed(to: scene.servers[0], region: 9, from: .zero, payload: [5]))
    }

    @Test("the same seed loses the same packets, another seed others")
    func determinism() {
        func arrivals(_ seed: UInt64) -> [UInt8] {
            var network = SimulatedNetwork(seed: seed)
            let link = SimulatedNetwork.Link(
                delay: .milliseconds(5), jitter: .milliseconds(20), loss: 0.3)
            let one = network.addHost([address("198.51.100.1")], link: link)
            _ = network.addHost([address("198.51.100.2")], link: link)
            for index: UInt8 in 0..<100 {
                network.send([index], from: one, port: 1, to: Endpoint("198.51.100.2:2")!)
            }
            var result: [UInt8] = []
            while case .datagram(_, _, _, let payload) = network.next(
                until: network.now + .seconds(1))
            {
                result += payload
            }
            return result
        }
        #expect(arrivals(1) == arrivals(1))
        #expect(arrivals(1) != arrivals(2))
        #expect((25...75).contains(arrivals(1).count))
    }
}
