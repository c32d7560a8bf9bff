import NetTypes
import PathEngine
import SimulatedMesh
import SimulatedNetwork
import Testing

@Suite("ways to a direct path")
struct DirectPathTests {
    /// Sends for a while and says how long it took until both sides were direct.
    private func connect(
        _ seed: UInt64, _ places: [NATKind], sharesEndpoints: Bool = true, loss: Double = 0
    ) -> (mesh: Mesh, time: Nanoseconds?) {
        let mesh = Mesh(seed: seed, places, loss: loss)
        mesh.sharesEndpoints = sharesEndpoints
        mesh.start()
        mesh.run(for: .seconds(1))
        return (mesh, mesh.timeUntilDirect(0, 1, limit: .seconds(8)))
    }

    @Test(
        "pairs that can meet do so within 300 ms of the first packet",
        arguments: [
            [NATKind.open, .open], [.open, .easy], [.open, .hard], [.easy, .open], [.hard, .open],
            [.easy, .easy], [.easy, .carrier], [.carrier, .carrier], [.addressFiltered, .hard],
            [.hard, .addressFiltered], [.addressFiltered, .easy], [.carrier, .open],
        ])
    func direct(places: [NATKind]) {
        for seed: UInt64 in 1...20 {
            let (mesh, time) = connect(seed, places)
            #expect(
                (time ?? .minutes(1)) <= .milliseconds(300),
                "seed \(seed), \(places): \(time?.inMilliseconds ?? -1) ms")
            let lost = missing(mesh)
            #expect(lost == 0, "seed \(seed), \(places): \(lost) packets missing")
        }
    }

    /// Packets of either side that have not arrived after all is quiet.
    private func missing(_ mesh: Mesh) -> Int {
        mesh.run(for: .seconds(1))
        return [(0, 1), (1, 0)].reduce(0) { sum, pair in
            let sent = Int(mesh.nodes[pair.0].sent[pair.1] ?? 0)
            return sum + sent - (mesh.nodes[pair.1].received[pair.0]?.count ?? 0)
        }
    }

    @Test(
        "pairs without a way stay on the relay, lose nothing and do not flood",
        arguments: [
            [NATKind.hard, .hard], [.blocked, .open], [.open, .blocked], [.blocked, .blocked],
        ])
    func relayed(places: [NATKind]) {
        for seed: UInt64 in 1...3 {
            let (mesh, time) = connect(seed, places)
            #expect(time == nil, "seed \(seed), \(places)")
            mesh.exchange(0, 1, every: .milliseconds(150), for: .seconds(60))
            let lost = missing(mesh)
            #expect(lost == 0, "seed \(seed), \(places): \(lost) packets missing")
            for node in mesh.nodes {
                #expect(
                    node.discoSentTotal < 250, "seed \(seed), \(node.name): \(node.discoSentTotal)")
                let busiest = node.discoSent.values.max() ?? 0
                #expect(busiest <= 60, "seed \(seed), \(node.name): \(busiest) in a second")
            }
        }
    }

    @Test("neighbours on one network use it, though their common NAT does not hairpin")
    func sameNetwork() {
        for seed: UInt64 in 1...20 {
            let mesh = Mesh(seed: seed)
            let router = mesh.network.addRouter(
                .easy, outside: [address("203.0.113.1")],
                link: SimulatedNetwork.Link(delay: .milliseconds(10)))
            for number in 2...3 {
                let host = mesh.network.addHost(
                    [address("192.168.1.\(number)")], behind: router,
                    link: SimulatedNetwork.Link(delay: .microseconds(500)))
                mesh.addNode("\(number)", on: host)
            }
            mesh.start()
            mesh.run(for: .seconds(1))
            let time = mesh.timeUntilDirect(0, 1, limit: .seconds(5))
            #expect((time ?? .minutes(1)) <= .milliseconds(100), "seed \(seed)")
            let current = mesh.nodes[0].paths.status(of: 1, at: mesh.now)?.currentEndpoint
            #expect(current?.address == address("192.168.1.3"), "seed \(seed)")
        }
    }

    @Test("CallMeMaybe alone is enough where the control server is slow")
    func withoutNetmap() {
        for seed: UInt64 in 1...20 {
            let (_, time) = connect(seed, [.easy, .easy], sharesEndpoints: false)
            #expect(
                (time ?? .minutes(1)) <= .milliseconds(400),
                "seed \(seed): \(time?.inMilliseconds ?? -1) ms")
        }
    }

    @Test("lost packets delay the direct path, but little")
    func loss() {
        var times: [Nanoseconds] = []
        for seed: UInt64 in 1...60 {
            let (_, time) = connect(seed, [.easy, .easy], loss: 0.1)
            times.append(time ?? .minutes(1))
        }
        times.sort()
        #expect(times[30] <= .milliseconds(400), "median \(times[30].inMilliseconds) ms")
        #expect(times[56] <= .seconds(3), "p95 \(times[56].inMilliseconds) ms")
        #expect(times[59] <= .seconds(8), "worst \(times[59].inMilliseconds) ms")
    }

    @Test("a mapping that expired while idle is replaced, and the peer told")
    func expiredMapping() {
        for seed: UInt64 in 1...10 {
            let mesh = Mesh(seed: seed)
            var behavior = RouterBehavior.easy
            behavior.mappingLifetime = .seconds(30)
            behavior.allocation = .sequential
            for index in 1...2 {
                let router = mesh.network.addRouter(
                    behavior, outside: [address("203.0.113.\(index)")],
                    link: SimulatedNetwork.Link(delay: .milliseconds(10)))
                let host = mesh.network.addHost(
                    [address("192.168.\(index).2")], behind: router,
                    link: SimulatedNetwork.Link(delay: .microseconds(500)))
                mesh.addNode("\(index)", on: host)
            }
            mesh.start()
            mesh.run(for: .seconds(120))
            let time = mesh.timeUntilDirect(0, 1, limit: .seconds(8))
            #expect(
                (time ?? .minutes(1)) <= .milliseconds(400),
                "seed \(seed): \(time?.inMilliseconds ?? -1) ms")
        }
    }
}
