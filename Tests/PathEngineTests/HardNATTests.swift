import Disco
import NetTypes
import SimulatedMesh
import SimulatedNetwork
import Testing

@testable import PathEngine

@Suite("paths through hard NATs")
struct HardNATTests {
    @Test("easy and hard meet: half of the pairs in 3 s, 95 of 100 in 10 s, within the limits")
    func birthday() {
        var times: [Nanoseconds] = []
        for seed: UInt64 in 1...200 {
            var pair = HardPair(seed, seed.isMultiple(of: 2) ? [.easy, .hard] : [.hard, .easy])
            times.append(pair.connect() ?? .minutes(1))
            for flows in pair.mostFlows {
                #expect(flows <= 700, "seed \(seed): \(pair.mostFlows) flows")
            }
            #expect(pair.mesh.nodes.allSatisfy { $0.openSocketsMost <= 501 }, "seed \(seed)")
            // What is of no use is closed at once, the rest after some seconds.
            pair.mesh.exchange(0, 1, every: .milliseconds(500), for: .seconds(25))
            let left = pair.mesh.nodes.map(\.openSockets.count).max() ?? 0
            #expect(left <= 1 + HardNATTiming.hitsMax, "seed \(seed): \(left) sockets")
            #expect(pair.isDirect || times.last == .minutes(1), "seed \(seed): lost again")
            #expect(pair.missing() == 0, "seed \(seed)")
        }
        times.sort()
        let (half, most) = (times[times.count / 2], times[times.count * 95 / 100])
        print(
            "easy-hard: p50 \(half.inMilliseconds) ms, p95 \(most.inMilliseconds) ms,",
            times.count { $0 == .minutes(1) }, "never")
        #expect(half <= .seconds(3))
        #expect(most <= .seconds(10))
    }

    @Test("every allocation and filter of the hard side is met", arguments: HardPair.hardKinds)
    func kinds(kind: NATKind) {
        var times: [Nanoseconds] = []
        for seed: UInt64 in 1...30 {
            var pair = HardPair(seed, [.easy, kind.behavior ?? .hard], loss: 0.01)
            times.append(pair.connect() ?? .minutes(1))
        }
        times.sort()
        print(kind, "p50", times[15].inMilliseconds, "p95", times[28].inMilliseconds)
        #expect(times[15] <= .seconds(3), "\(kind)")
        #expect(times[28] <= .seconds(10), "\(kind)")
    }

    @Test("a sequence and a block are foreseen: few mappings are enough")
    func predicted() {
        for (kind, most) in [(NATKind.symmetricSequential, 110), (.symmetricBlocks, 400)] {
            var behavior = kind.behavior ?? .hard
            behavior.otherMappingsPerSecond = kind == .symmetricSequential ? 2 : 0
            for seed: UInt64 in 1...30 {
                var pair = HardPair(seed, [.easy, behavior])
                let time = pair.connect()
                #expect(time ?? .minutes(1) <= .seconds(10), "\(kind), seed \(seed)")
                for flows in pair.mostFlows {
                    #expect(flows <= most, "\(kind), seed \(seed): \(flows)")
                }
            }
        }
    }

    @Test("two sequences meet, two random ones stay on the relay and say why")
    func hardHard() {
        var direct = 0
        let sequence = NATKind.symmetricSequential.behavior ?? .hard
        for seed: UInt64 in 1...40 {
            var pair = HardPair(seed, [sequence, sequence])
            if pair.connect() != nil { direct += 1 }
            #expect(pair.mostFlows.allSatisfy { $0 <= 200 })
        }
        print("sequence-sequence:", direct, "of 40")
        #expect(direct >= 36)
        for seed: UInt64 in 1...10 {
            for kinds in [[RouterBehavior.hard, .hard], [sequence, .hard], [.hard, sequence]] {
                var pair = HardPair(seed, kinds)
                #expect(pair.connect() == nil)
                pair.mesh.exchange(0, 1, every: .milliseconds(500), for: .seconds(60))
                #expect(pair.missing() == 0)
                let reasons = [pair.obstacle(of: 0), pair.obstacle(of: 1)]
                #expect(reasons == [.unpredictable, .unpredictable], "seed \(seed): \(reasons)")
                #expect(pair.mostFlows.allSatisfy { $0 <= 60 }, "seed \(seed): \(pair.mostFlows)")
            }
        }
    }

    @Test("the pair that met before meets again, by the same socket while the mapping lives")
    func again() {
        var pair = HardPair(3, [.easy, .hard])
        #expect(pair.connect() != nil)
        pair.mesh.exchange(0, 1, every: .milliseconds(500), for: .seconds(15))
        let before = pair.mesh.nodes[1].openSocketsMost
        // Idle for longer than a session, less than the NATs' memory.
        pair.mesh.run(for: .seconds(60))
        let soon = pair.connect()
        #expect(soon ?? .minutes(1) <= .milliseconds(300))
        #expect(pair.mesh.nodes[1].openSocketsMost == before)
        // Idle for so long that the mapping is gone: found anew, and sooner than at first.
        pair.mesh.run(for: .minutes(10))
        #expect(pair.mesh.nodes[1].openSockets.isEmpty, "sockets of an idle peer are closed")
        let late = pair.connect()
        #expect(late ?? .minutes(1) <= .seconds(10))
    }

    @Test("a node that is told whom it met in an earlier life begins to search sooner")
    func remembered() {
        var starts: [Nanoseconds] = []
        for isRemembered in [false, true] {
            var pair = HardPair(3, [.easy, .hard])
            let node = pair.mesh.nodes[1]
            node.paths.removePeer(index: 0)
            node.paths.setHardNATSuccesses(isRemembered ? [pair.mesh.nodes[0].nodeKey] : [])
            pair.mesh.tell(1, of: 0)
            pair.mesh.network.isTracing = true
            let start = pair.mesh.now
            #expect(pair.connect() != nil)
            // Probes of the NAT's behavior leave by further sockets too, but not to the peer.
            let first = pair.mesh.network.trace.first {
                $0.what == .sent && $0.sender == node.host && $0.from.port != SimulatedNode.port
                    && $0.to.address == address("203.0.113.1")
            }
            starts.append((first?.at ?? .never) - start)
            // What is to be remembered is told once.
            pair.mesh.run(for: .seconds(1))
            let told = node.events.filter { $0 == .hardNATPassed(peer: 0) }
            #expect(told.count == (isRemembered ? 0 : 1))
        }
        #expect(starts[0] - starts[1] >= .milliseconds(100), "\(starts)")
    }

    @Test("heartbeats keep the mapping of a used path alive")
    func keptAlive() {
        var hard = RouterBehavior.hard
        hard.mappingLifetime = .seconds(30)
        var pair = HardPair(5, [.easy, hard])
        #expect(pair.connect() != nil)
        pair.mesh.exchange(0, 1, every: .seconds(20), for: .minutes(10))
        #expect(pair.isDirect)
        let events = pair.mesh.nodes[1].events.count { event in
            if case .pathChanged = event { true } else { false }
        }
        #expect(events <= 2, "the path came and went \(events) times")
    }

    @Test("switched off on one side, nothing is tried and the reason is told")
    func switchedOff() {
        for off in 0...1 {
            var pair = HardPair(1, [.easy, .hard])
            pair.mesh.nodes[off].paths.setHardNAT(isEnabled: false)
            // As a whole netcheck shows it, which a mesh does not make.
            pair.mesh.nodes[1].paths.setNATBehavior(
                NATBehavior(mapping: .addressAndPortDependent))
            #expect(pair.connect() == nil)
            #expect(pair.mesh.nodes[1].openSocketsMost <= 6)
            let reasons = [pair.obstacle(of: 0), pair.obstacle(of: 1)]
            #expect(reasons[off] == .switchedOff(.own))
            #expect(reasons[1 - off] == .switchedOff(.peer))
            #expect(pair.mostFlows.allSatisfy { $0 <= 40 })
        }
    }

    @Test("a router with 1,024 entries keeps room for the others in the house")
    func smallTable() {
        for side in 0...1 {
            for seed: UInt64 in 1...20 {
                var behaviors = [RouterBehavior.easy, .hard]
                behaviors[side].tableCapacity = 1_024
                var pair = HardPair(seed, behaviors)
                _ = pair.connect()
                pair.mesh.exchange(0, 1, every: .seconds(1), for: .minutes(5))
                #expect(pair.mostFlows[side] <= 700, "seed \(seed): \(pair.mostFlows)")
                #expect(pair.mesh.network.lostCount(.tableFull) == 0, "seed \(seed)")
            }
        }
    }

    @Test("with few sockets to be had, those few are used and the node lives on")
    func fewSockets() {
        var pair = HardPair(2, [.easy, .hard])
        pair.mesh.nodes[1].socketsMax = 20
        _ = pair.connect()
        pair.mesh.exchange(0, 1, every: .milliseconds(500), for: .seconds(30))
        #expect(pair.mesh.nodes[1].openSocketsMost <= 20)
        #expect(pair.missing() == 0)
    }
}

/// Two nodes behind routers of these behaviours.
struct HardPair {
    let mesh: Mesh
    let routers: [SimulatedNetwork.RouterID]
    private(set) var mostFlows = [0, 0]

    static var hardKinds: [NATKind] {
        [
            .symmetric, .symmetricBlocks, .symmetricSequential, .symmetricAddress,
            .symmetricOpen, .addressDependent,
        ]
    }

    init(_ seed: UInt64, _ behaviors: [RouterBehavior], loss: Double = 0) {
        mesh = Mesh(seed: seed)
        var random = SeededRandom(seed: seed ^ 0x4A2D)
        var routers: [SimulatedNetwork.RouterID] = []
        for (index, behavior) in behaviors.enumerated() {
            let way = SimulatedNetwork.Link(
                delay: .milliseconds(Int64(5 + random.below(30))), jitter: .milliseconds(2),
                loss: loss)
            let number = UInt32(index)
            let router = mesh.network.addRouter(
                behavior, outside: [.v4(IPv4Address(bits: 0xCB00_7101 + number))], link: way)
            let host = mesh.network.addHost(
                [.v4(IPv4Address(bits: 0xC0A8_0102 + number << 8))], behind: router,
                link: .init(delay: .microseconds(500)))
            mesh.addNode("\(index)", on: host)
            routers.append(router)
        }
        self.routers = routers
        mesh.start()
        mesh.run(for: .seconds(2))
    }

    var isDirect: Bool { mesh.isDirect(0, 1) && mesh.isDirect(1, 0) }

    /// Exchanges packets until both sides are direct, and returns how long that took.
    mutating func connect(limit: Nanoseconds = .seconds(12)) -> Nanoseconds? {
        let start = mesh.now
        while mesh.now - start < limit {
            mesh.sendData(from: 0, to: 1)
            mesh.run(for: .milliseconds(20))
            for (index, router) in routers.enumerated() {
                mostFlows[index] = max(
                    mostFlows[index], mesh.network.tableLoad(of: router).flows)
            }
            if isDirect { return mesh.now - start }
        }
        return nil
    }

    func obstacle(of index: Int) -> HardNATObstacle? {
        let status = mesh.nodes[index].paths.status(of: 1 - index, at: mesh.now)
        guard case .hardNAT(_, let obstacle, _) = status?.obstacle else { return nil }
        return obstacle
    }

    /// Packets of either side that have not arrived after all is quiet.
    func missing() -> Int {
        mesh.run(for: .seconds(1))
        return [(0, 1), (1, 0)].reduce(0) { sum, pair in
            let sent = Int(mesh.nodes[pair.0].sent[pair.1] ?? 0)
            return sum + sent - (mesh.nodes[pair.1].received[pair.0]?.count ?? 0)
        }
    }
}
