import NetTypes
import SimulatedNetwork

extension Scenario {
    /// What the search for a direct path does to others behind a NAT of few flows, which forgets the
    /// oldest where it is full, as cheap home routers do.
    static var smallTables: [Scenario] {
        [1_024, 512].map { capacity in
            Scenario(
                name:
                    "hard NAT sought through a table of \(capacity) flows: a neighbour's flows lost",
                unit: .perMille, goal: 0, percentile: 95, seedCount: 10
            ) { seed in lostNeighbours(seed: seed, capacity: capacity) }
        }
    }

    /// A neighbour of the node keeps 100 flows alive, each with a packet every 20 s. Those which the
    /// router has forgotten after 30 s of search, in thousandths.
    private static func lostNeighbours(seed: UInt64, capacity: Int) -> Int {
        let mesh = Mesh(seed: seed, [.symmetric])
        var behavior = RouterBehavior.easy
        behavior.tableCapacity = capacity
        behavior.tableOverflow = .forgetOldest
        let router = mesh.network.addRouter(
            behavior, outside: [address("203.0.113.200")],
            link: SimulatedNetwork.Link(delay: .milliseconds(10)))
        let lan = SimulatedNetwork.Link(delay: .microseconds(500))
        mesh.addNode(
            "easy", on: mesh.network.addHost([address("192.168.9.2")], behind: router, link: lan))
        let neighbour = mesh.network.addHost([address("192.168.9.3")], behind: router, link: lan)
        let server = mesh.network.addHost(
            [address("198.51.100.50")], link: .init(delay: .milliseconds(5)))
        let flows: ClosedRange<UInt16> = 1...100
        mesh.every(.seconds(20), for: .seconds(40)) { mesh in
            for flow in flows {
                mesh.network.send(
                    [0], from: neighbour, port: 9_000 + flow,
                    to: Endpoint(address("198.51.100.50"), port: flow))
            }
        }
        mesh.start()
        mesh.run(for: .seconds(5))
        mesh.exchange(0, 1, every: .milliseconds(50), for: .seconds(30))
        let before = mesh.network.receivedCount(of: neighbour)
        for flow in flows {
            mesh.network.send(
                [0], from: server, port: flow,
                to: Endpoint(address("203.0.113.200"), port: 9_000 + flow))
        }
        mesh.run(for: .seconds(1))
        let answered = mesh.network.receivedCount(of: neighbour) - before
        return (flows.count - answered) * 1_000 / flows.count
    }
}
