import NetTypes
import SimulatedNetwork
import Testing

@Suite("simulated routers")
struct RouterTests {
    @Test("an easy NAT has one mapping for all destinations and keeps the port")
    func easy() {
        var scene = Scene(.easy)
        let first = scene.mapping(to: 0)
        let second = scene.mapping(to: 1)
        #expect(first == Endpoint(Scene.outside, port: 5_000))
        #expect(first == second)
    }

    @Test("a hard NAT has another mapping for each destination, and keeps to it")
    func hard() {
        var scene = Scene(.hard)
        let first = scene.mapping(port: 1)
        let other = scene.mapping(port: 2)
        let again = scene.mapping(port: 1)
        #expect(first != nil && other != nil && first != other)
        #expect(first == again)
    }

    @Test("neighbours reach each other directly, and by their outside only where the NAT hairpins")
    func hairpin() throws {
        for hairpins in [false, true] {
            var behavior = RouterBehavior.easy
            behavior.hairpins = hairpins
            behavior.filtering = .endpointIndependent
            var scene = Scene(behavior, hosts: 2)
            let mapped = scene.mapping(of: 0)
            let outside = try #require(mapped)
            scene.network.send([3], from: scene.insides[1], port: 7, to: outside)
            let arrival = scene.network.next(until: scene.network.now + .seconds(1))
            #expect((arrival != nil) == hairpins)
            scene.network.send(
                [3], from: scene.insides[1], port: 7, to: Endpoint(Scene.inside(0), port: 5_000))
            let direct = scene.network.next(until: scene.network.now + .seconds(1))
            #expect(direct != nil)
        }
    }

    @Test("two levels of NAT translate twice, filter twice and find the way back")
    func twoLevels() {
        var network = SimulatedNetwork(seed: 1)
        let link = SimulatedNetwork.Link(delay: .milliseconds(1))
        let carrier = network.addRouter(
            .nat(.endpointIndependent, .endpointIndependent), outside: [address("203.0.113.1")])
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
        #expect(
            back
                == .datagram(
                    to: inside, local: Endpoint(address("192.168.1.2"), port: 5),
                    from: Endpoint(address("198.51.100.1"), port: 6), payload: [2]))
        network.send([3], from: server, port: 7, to: from)
        let other = network.next(until: network.now + .seconds(1))
        #expect(other == nil, "the carrier lets it in, the home does not")
    }

    @Test("blocked UDP stays inside and outside")
    func blocked() {
        var scene = Scene(.udpBlocked)
        let mapped = scene.mapping()
        let isOpen = scene.admits(Endpoint(Scene.outside, port: 5_000))
        #expect(mapped == nil && !isOpen)
        #expect(scene.network.lostCount(.udpBlocked) == 2)
    }

    @Test("the same seed loses the same packets, another seed others")
    func determinism() {
        func arrivals(_ seed: UInt64) -> [UInt8] {
            var network = SimulatedNetwork(seed: seed)
            let link = SimulatedNetwork.Link(
                delay: .milliseconds(5), jitter: .milliseconds(20), loss: 0.3, reordering: 0.1)
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

    @Test("300 homes send to each other: each packet by two NATs, all arrive, in a moment")
    func speed() {
        var network = SimulatedNetwork(seed: 1)
        let count = 300
        let link = SimulatedNetwork.Link(delay: .milliseconds(10), jitter: .milliseconds(2))
        var homes: [SimulatedNetwork.HostID] = []
        for index in 0..<UInt32(count) {
            let router = network.addRouter(
                .nat(.endpointIndependent, .endpointIndependent, .preserving),
                outside: [.v4(IPv4Address(bits: 0xCB00_7100 + index))], link: link)
            homes.append(
                network.addHost(
                    [address("192.168.1.2")], behind: router,
                    link: .init(delay: .microseconds(500))))
        }
        let payload = [UInt8](repeating: 1, count: 100)
        var arrived = 0
        let start = ContinuousClock.now
        for round in 1...30 {
            for index in 0..<count {
                let target = (index + round) % count
                let address = IPAddress.v4(IPv4Address(bits: 0xCB00_7100 + UInt32(target)))
                network.send(
                    payload, from: homes[index], port: 7, to: Endpoint(address, port: 7))
            }
            while network.next(until: network.now + .milliseconds(100)) != nil { arrived += 1 }
        }
        let took = ContinuousClock.now - start
        print(
            "\(arrived) packets by two NATs each: \(Int(Double(arrived) / (took / .seconds(1)))) a second"
        )
        // The first round finds no mapping at those that have not sent yet.
        #expect(arrived > count * 29)
    }
}
