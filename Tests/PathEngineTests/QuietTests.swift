import NetTypes
import PathEngine
import SimulatedMesh
import SimulatedNetwork
import Testing

@Suite("peers and the traffic they cause")
struct QuietTests {
    @Test("an idle peer gets no packet at all")
    func idle() {
        let mesh = Mesh(seed: 1, [.easy, .easy, .hard])
        mesh.start()
        mesh.run(for: .seconds(1))
        mesh.exchange(0, 1, every: .milliseconds(50), for: .seconds(5))
        mesh.run(for: .seconds(60))
        let before = mesh.nodes.map { mesh.network.sentCount(of: $0.host) }
        mesh.run(for: .minutes(10))
        let after = mesh.nodes.map { mesh.network.sentCount(of: $0.host) }
        #expect(before == after)
        #expect(mesh.nodes[2].discoSentTotal == 0, "nobody talked to the third node")
        for node in mesh.nodes { #expect(node.paths.nextDeadline == nil) }
    }

    @Test("an idle pair whose mappings are gone starts again through the relay, and is direct soon")
    func restart() {
        for seed: UInt64 in 1...20 {
            let mesh = Mesh(seed: seed, lifetime: .seconds(30))
            mesh.start()
            mesh.run(for: .seconds(2))
            mesh.exchange(0, 1, every: .milliseconds(50), for: .seconds(5))
            #expect(mesh.isDirect(0, 1) && mesh.isDirect(1, 0), "seed \(seed)")
            mesh.run(for: .minutes(10))
            let relayedBefore = mesh.nodes[1].relayedArrivals[0] ?? 0
            let start = mesh.now
            mesh.sendData(from: 0, to: 1)
            mesh.run(for: .milliseconds(100))
            #expect(mesh.nodes[1].relayedArrivals[0] ?? 0 > relayedBefore, "seed \(seed)")
            mesh.exchange(0, 1, every: .milliseconds(50), for: .milliseconds(900))
            #expect(mesh.isDirect(0, 1) && mesh.isDirect(1, 0), "seed \(seed)")
            #expect(mesh.now - start <= .seconds(1))
        }
    }

    @Test("a session in use costs a heartbeat every three seconds, and answers")
    func heartbeats() {
        for seed: UInt64 in 1...5 {
            let mesh = Mesh(seed: seed, [.easy, .easy])
            mesh.start()
            mesh.run(for: .seconds(1))
            mesh.exchange(0, 1, every: .milliseconds(100), for: .seconds(5))
            let before = mesh.nodes.map(\.discoSentTotal)
            mesh.exchange(0, 1, every: .milliseconds(100), for: .seconds(60))
            for (node, before) in zip(mesh.nodes, before) {
                let count = node.discoSentTotal - before
                // 20 heartbeats, 20 answers, a few pings to the standby and for doubts.
                #expect((38...80).contains(count), "seed \(seed), \(node.name): \(count)")
            }
        }
    }

    @Test("official peers, which never ping back, get a direct path with us", arguments: [0, 1])
    func official(starter: Int) {
        for seed: UInt64 in 1...20 {
            for places in [
                [NATKind.easy, .easy], [.open, .easy], [.easy, .open], [.hard, .open],
            ] {
                let mesh = Mesh(seed: seed, places)
                mesh.start()
                mesh.run(for: .seconds(1))
                let official = OfficialPeer(1, peer: 0, in: mesh)
                official.learn(mesh.nodes[0].announced)
                mesh.officials[1] = official
                let start = mesh.now
                var ours: Nanoseconds?
                var theirs: Nanoseconds?
                while mesh.now - start < .seconds(10), ours == nil || theirs == nil {
                    mesh.sendData(from: starter, to: 1 - starter)
                    mesh.run(for: .milliseconds(10))
                    if ours == nil, mesh.isDirect(0, 1) { ours = mesh.now - start }
                    if theirs == nil, official.isTrusted(at: mesh.now) {
                        theirs = mesh.now - start
                    }
                }
                #expect(
                    (ours ?? .minutes(1)) <= .milliseconds(400),
                    "seed \(seed), \(places): \(ours?.inMilliseconds ?? -1) ms")
                #expect(
                    (theirs ?? .minutes(1)) <= .milliseconds(500),
                    "seed \(seed), \(places): \(theirs?.inMilliseconds ?? -1) ms")
                let busiest = mesh.nodes[0].discoSent.values.max() ?? 0
                #expect(busiest <= 40, "seed \(seed), \(places): \(busiest) in a second")
            }
        }
    }

    @Test("a full mesh of thirty: everybody direct, nobody flooded")
    func mesh() {
        let mesh = Mesh(seed: 9, Array(repeating: .easy, count: 30))
        mesh.start()
        mesh.run(for: .seconds(1))
        for round in 0..<40 {
            for node in 0..<30 { mesh.sendData(from: node, to: (node + 1 + round % 29) % 30) }
            mesh.run(for: .milliseconds(50))
        }
        mesh.run(for: .seconds(1))
        let direct = (0..<30).reduce(0) { sum, one in
            sum + (0..<30).count { one != $0 && mesh.isDirect(one, $0) }
        }
        #expect(direct == 30 * 29)
        for node in mesh.nodes {
            let busiest = node.discoSent.values.max() ?? 0
            #expect(busiest <= 500, "\(node.name): \(busiest) in a second")
        }
    }

    @Test("pings that a person asks for are answered by path, or time out")
    func ping() {
        let mesh = Mesh(seed: 3, [.easy, .easy, .blocked])
        mesh.start()
        mesh.run(for: .seconds(1))
        mesh.nodes[0].paths.startPing(id: 1, peer: 1, scope: .current, at: mesh.now)
        mesh.drain(0)
        mesh.run(for: .seconds(1))
        mesh.nodes[0].paths.startPing(id: 2, peer: 1, scope: .current, at: mesh.now)
        mesh.nodes[0].paths.startPing(id: 3, peer: 1, scope: .all, at: mesh.now)
        mesh.nodes[0].paths.startPing(id: 4, peer: 9, scope: .all, at: mesh.now)
        mesh.drain(0)
        mesh.run(for: .seconds(6))
        var answers: [UInt64: Set<PathDestination>] = [:]
        var timeouts: Set<UInt64> = []
        for event in mesh.nodes[0].events {
            if case .pingAnswered(let id, 1, let path, let roundTrip) = event {
                answers[id, default: []].insert(path)
                #expect(roundTrip > .milliseconds(1) && roundTrip < .milliseconds(200))
            }
            if case .pingTimedOut(let id, _) = event { timeouts.insert(id) }
        }
        let relay = PathDestination.relay(region: 1, to: mesh.nodes[1].nodeKey)
        let direct = PathDestination.udp(Endpoint("203.0.113.2:41641")!)
        #expect(answers[1] == [relay], "nothing was known before")
        #expect(answers[2] == [direct])
        #expect(answers[3]?.isSuperset(of: [relay, direct]) == true)
        #expect(timeouts.contains(4))
    }
}
