package import NetTypes
import PathEngine
package import SimulatedNetwork

extension Scenario {
    // MARK: Mappings that expire

    static var expiry: [Scenario] {
        [
            sparse("a packet every 40 s, mappings of 30 s", every: .seconds(40), seconds: 30),
            sparse("a packet every 100 s, mappings of 30 s", every: .seconds(100), seconds: 30),
            sparse("a packet every 100 s, mappings of 2 min", every: .seconds(100), seconds: 120),
        ]
    }

    /// Packets that do not arrive within half a second, while NATs forget and give other ports.
    private static func sparse(
        _ name: String, every interval: Nanoseconds, seconds: Int64
    ) -> Scenario {
        Scenario(
            name: "\(name): not there in 0.5 s", unit: .perMille, goal: 0, percentile: 95,
            seedCount: 20
        ) { seed in
            let mesh = Mesh(seed: seed, lifetime: .seconds(seconds))
            mesh.start()
            mesh.run(for: .seconds(2))
            mesh.exchange(0, 1, every: .milliseconds(20), for: .seconds(3))
            let count = 30
            var missing = 0
            for _ in 0..<count {
                mesh.run(for: interval - .milliseconds(500))
                let before = mesh.nodes[1].received[0]?.count ?? 0
                mesh.sendData(from: 0, to: 1)
                mesh.run(for: .milliseconds(500))
                if mesh.nodes[1].received[0]?.count == before { missing += 1 }
            }
            return missing * 1_000 / count
        }
    }

    // MARK: Two paths of which now the one is better and now the other

    static var flapping: [Scenario] {
        [
            flap("within the jitter (4 ms of 30)", by: .milliseconds(4), goal: 2),
            flap("by two thirds (20 ms of 30)", by: .milliseconds(20), goal: 24),
        ]
    }

    /// Two nodes with IPv4 and IPv6, of which every five seconds another is slower, for two minutes.
    private static func flap(_ name: String, by delay: Nanoseconds, goal: Int) -> Scenario {
        Scenario(
            name: "better path alternates, \(name): changes in 2 min", unit: .changes, goal: goal,
            percentile: 95, seedCount: 20
        ) { seed in
            let mesh = Mesh(seed: seed)
            let way = SimulatedNetwork.Link(delay: .milliseconds(15), jitter: .milliseconds(4))
            let addresses: [[IPAddress]] = (1...2).map { number in
                [address("203.0.113.\(number)"), address("2001:db8::\(number)")]
            }
            for (index, own) in addresses.enumerated() {
                mesh.addNode("\(index)", on: mesh.network.addHost(own, link: way))
            }
            mesh.start()
            mesh.run(for: .seconds(2))
            mesh.exchange(0, 1, every: .milliseconds(50), for: .seconds(10))
            let before = mesh.nodes[0].pathChangeCount
            for round in 0..<24 {
                for own in addresses {
                    mesh.network.setDetour(delay, to: own[round % 2])
                    mesh.network.setDetour(.zero, to: own[1 - round % 2])
                }
                mesh.exchange(0, 1, every: .milliseconds(50), for: .seconds(5))
            }
            return mesh.nodes[0].pathChangeCount - before
        }
    }

    // MARK: Idle nodes and many

    /// What idle nodes and a mesh of a thousand cost.
    package static var quiet: [Scenario] {
        [
            Scenario(
                name: "100 idle peers: wake-ups", unit: .perMinute, goal: 2, percentile: 95,
                seedCount: 2
            ) { seed in idleWakeUps(seed: seed) },
            Scenario(
                name: "1,000 nodes, 50 in use: packets of a node in use beside its data",
                unit: .perMinute, goal: 200, percentile: 95, seedCount: 1
            ) { _ in Crowd.first.inUsePerMinute },
            Scenario(
                name: "1,000 nodes, 50 in use: packets of an idle node", unit: .perMinute,
                goal: 12, percentile: 95, seedCount: 1
            ) { _ in Crowd.first.idlePerMinute },
        ]
    }

    /// A node that has spoken with a hundred peers and is idle, as the daemon runs it.
    private static func idleWakeUps(seed: UInt64) -> Int {
        let mesh = Mesh(seed: seed)
        mesh.refreshesReports = true
        mesh.tellsOnNeed = true
        var random = SeededRandom(seed: seed)
        for _ in 0...100 { mesh.addNode(.portRestricted, random: &random) }
        mesh.start()
        mesh.run(for: .seconds(2))
        for peer in 1...100 {
            mesh.introduce(0, peer)
            mesh.sendData(from: 0, to: peer)
        }
        // Sessions end after 45 seconds.
        mesh.run(for: .minutes(2))
        let before = mesh.nodes[0].wakeUpCount
        mesh.run(for: .minutes(10))
        return (mesh.nodes[0].wakeUpCount - before + 9) / 10
    }
}

/// A thousand nodes behind common NATs, of which fifty send to one peer each, ten packets a second
/// that are answered, and others every minute; as the daemon runs them. Nobody is told of peers that
/// it never speaks with: those cost nothing, as the idle node shows.
struct Crowd: Sendable {
    /// With seed 1; made once, for it takes seconds.
    static let first = Crowd(seed: 1)

    /// Disco and STUN packets per node and minute, rounded.
    let inUsePerMinute: Int
    let idlePerMinute: Int

    init(seed: UInt64, count: Int = 1_000, inUse: Int = 50) {
        let mesh = Mesh(seed: seed)
        mesh.refreshesReports = true
        mesh.tellsOnNeed = true
        var random = SeededRandom(seed: seed)
        let kinds: [NATKind] = [
            .portRestricted, .portRestricted, .portRestricted, .carrier, .fullCone, .dualStack,
            .open,
        ]
        for index in 0..<count {
            mesh.addNode(kinds[index % kinds.count], random: &random)
        }
        mesh.start()
        mesh.run(for: .seconds(5))
        var inUsePackets = 0
        var idlePackets = 0
        let minutes = 3
        for minute in 0..<minutes {
            // Sender and receiver are both in use.
            let senders = (0..<inUse / 2).map { (minute * 331 + $0 * 37) % (count / 2) }
            for sender in senders { mesh.introduce(sender, sender + count / 2) }
            let before = mesh.nodes.map(\.overheadSent)
            mesh.every(.milliseconds(100), for: .minutes(1)) { mesh in
                for sender in senders { mesh.sendData(from: sender, to: sender + count / 2) }
            }
            mesh.run(for: .minutes(1))
            let busy = Set(senders + senders.map { $0 + count / 2 })
            for index in mesh.nodes.indices {
                let spent = mesh.nodes[index].overheadSent - before[index]
                if busy.contains(index) { inUsePackets += spent } else { idlePackets += spent }
            }
        }
        inUsePerMinute = inUsePackets / (minutes * inUse)
        idlePerMinute = idlePackets / (minutes * (count - inUse))
    }
}

extension SimulatedNode {
    var pathChangeCount: Int {
        events.count { event in
            if case .pathChanged = event { true } else { false }
        }
    }
}

extension Mesh {
    /// Two nodes behind port-restricted NATs that forget after `lifetime` and give other ports then.
    package convenience init(
        seed: UInt64, lifetime: Nanoseconds, _ change: (inout RouterBehavior) -> Void = { _ in }
    ) {
        self.init(seed: seed)
        var behavior = RouterBehavior.easy
        behavior.mappingLifetime = lifetime
        behavior.changesPortOnExpiry = true
        change(&behavior)
        let way = SimulatedNetwork.Link(delay: .milliseconds(10), jitter: .milliseconds(2))
        for number: UInt8 in 1...2 {
            let router = network.addRouter(
                behavior, outside: [.v4(IPv4Address(203, 0, 113, number))], link: way)
            addNode(
                "\(number)",
                on: network.addHost(
                    [.v4(IPv4Address(192, 168, number, 2))], behind: router,
                    link: SimulatedNetwork.Link(delay: .microseconds(500))))
        }
    }
}
