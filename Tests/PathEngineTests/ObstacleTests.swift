import NetReport
import NetTypes
import PathEngine
import SimulatedMesh
import SimulatedNetwork
import Testing

@Suite("what stands in the way of a direct path")
struct ObstacleTests {
    private func obstacle(_ mesh: Mesh, _ node: Int = 0) -> PathObstacle? {
        mesh.nodes[node].paths.status(of: 1 - node, at: mesh.now)?.obstacle
    }

    /// Two nodes that have exchanged packets for a while.
    private func tried(_ kinds: [NATKind]) -> Mesh {
        let mesh = Mesh(seed: 7, kinds)
        mesh.start()
        mesh.run(for: .seconds(1))
        mesh.exchange(0, 1, every: .milliseconds(100), for: .seconds(30))
        return mesh
    }

    @Test("the reason names the side that it is on")
    func sides() {
        let blocked = [
            obstacle(tried([.blocked, .easy])), obstacle(tried([.easy, .blocked])),
        ]
        #expect(blocked == [.udpBlocked(.own), .udpBlocked(.peer)])
        let direct = obstacle(tried([.easy, .easy]))
        #expect(direct == nil)
    }

    @Test("before the search, at its beginning, and after a loss")
    func times() {
        let mesh = Mesh(seed: 3, [.easy, .easy])
        mesh.start()
        mesh.run(for: .seconds(1))
        let idle = obstacle(mesh)
        mesh.sendData(from: 0, to: 1)
        mesh.run(for: .milliseconds(5))
        let searching = obstacle(mesh)
        mesh.exchange(0, 1, every: .milliseconds(20), for: .seconds(3))
        let direct = mesh.nodes[0].paths.status(of: 1, at: mesh.now)?.currentEndpoint
        mesh.network.cut(mesh.nodes[0].host, mesh.nodes[1].host)
        mesh.exchange(0, 1, every: .milliseconds(20), for: .seconds(8))
        let lost = obstacle(mesh)
        mesh.exchange(0, 1, every: .milliseconds(20), for: .seconds(30))
        let unanswered = obstacle(mesh)
        #expect(idle == .idle)
        #expect(searching == .searching)
        #expect(direct != nil && lost == direct.map { .lost($0) })
        guard case .unanswered(let count) = unanswered, count > 0 else {
            Issue.record("\(String(describing: unanswered))")
            return
        }
    }
}

/// Node 0 is behind an ordinary NAT that filters by port, node 1 behind a hard one.
@Suite("why the port behind a hard NAT is not found")
struct HardNATObstacleTests {
    private func obstacles(_ mesh: Mesh) -> [PathObstacle?] {
        (0...1).map { mesh.nodes[$0].paths.status(of: 1 - $0, at: mesh.now)?.obstacle }
    }

    @Test("while ports are tried, both sides say so")
    func trying() {
        let mesh = HardPair(1, [.easy, .hard]).mesh
        mesh.network.cut(mesh.nodes[0].host, mesh.nodes[1].host)
        mesh.exchange(0, 1, every: .milliseconds(100), for: .seconds(4))
        let found = obstacles(mesh)
        #expect(
            found == [
                .hardNAT(.peer, .trying, retryIn: nil), .hardNAT(.own, .trying, retryIn: nil),
            ])
    }

    @Test("a search that failed names the attempts and the time of the next one")
    func failed() {
        let mesh = HardPair(1, [.easy, .hard]).mesh
        mesh.network.cut(mesh.nodes[0].host, mesh.nodes[1].host)
        mesh.exchange(0, 1, every: .milliseconds(100), for: .seconds(30))
        let found = obstacles(mesh)
        for (obstacle, side) in zip(found, [PathSide.peer, .own]) {
            guard case .hardNAT(side, .failed(attempts: 1), .some(let retryIn)) = obstacle else {
                Issue.record("\(String(describing: obstacle))")
                continue
            }
            #expect(retryIn > .seconds(60) && retryIn <= .minutes(2))
        }
        let text = found[1]?.sentence(to: "bob") ?? ""
        #expect(
            text.hasPrefix(
                "the NAT on this side uses another port for each destination (hard NAT), and an "
                    + "attempt to find the port has failed; ports are tried again in "), "\(text)")
        mesh.exchange(0, 1, every: .milliseconds(500), for: .minutes(3))
        guard case .hardNAT(.own, .failed(attempts: 2), _) = obstacles(mesh)[1] else {
            Issue.record("\(obstacles(mesh))")
            return
        }
    }

    @Test("a NAT that gives new sockets no port is told from one that hides them")
    func noRoom() {
        var full = RouterBehavior.hard
        full.tableCapacity = 3
        let mesh = HardPair(1, [.easy, full]).mesh
        mesh.nodes[1].paths.setNATBehavior(NATBehavior(mapping: .addressAndPortDependent))
        mesh.exchange(0, 1, every: .milliseconds(100), for: .seconds(25))
        guard case .hardNAT(.own, .noRoom, .some) = obstacles(mesh)[1] else {
            Issue.record("\(obstacles(mesh))")
            return
        }
    }

    @Test("a peer that does not take part, and the bound on mappings, are named")
    func peers() {
        let official = HardPair(7, [.easy, .hard]).mesh
        official.officials[0] = OfficialPeer(0, peer: 1, in: official)
        official.exchange(1, 0, every: .milliseconds(500), for: .seconds(20))
        guard case .hardNAT(.own, .peerDoesNotHelp, .some) = obstacles(official)[1] else {
            Issue.record("\(obstacles(official))")
            return
        }
        // The attempt with the first peer leaves too few mappings for the second.
        let mesh = Mesh(seed: 9, [.hard, .easy, .easy])
        mesh.start()
        mesh.run(for: .seconds(2))
        for other in 1...2 { mesh.network.cut(mesh.nodes[0].host, mesh.nodes[other].host) }
        mesh.exchange(0, 1, every: .milliseconds(100), for: .seconds(20))
        mesh.exchange(0, 2, every: .milliseconds(100), for: .seconds(20))
        let found = mesh.nodes[0].paths.status(of: 2, at: mesh.now)?.obstacle
        guard case .hardNAT(.own, .loadReached(.own), .some(let retryIn)) = found else {
            Issue.record("\(String(describing: found))")
            return
        }
        #expect(retryIn <= .minutes(2))
    }

    @Test("a change of network lets a failed search begin anew")
    func roaming() {
        let pair = HardPair(3, [.easy, .hard])
        let mesh = pair.mesh
        mesh.network.cut(mesh.nodes[0].host, mesh.nodes[1].host)
        mesh.exchange(0, 1, every: .milliseconds(100), for: .seconds(30))
        mesh.nodes[1].paths.handleLinkChange(at: mesh.now)
        mesh.nodes[1].report.handleLinkChange(at: mesh.now)
        mesh.drain(1)
        let found = obstacles(mesh)[1]
        #expect(found == .searching)
    }
}
