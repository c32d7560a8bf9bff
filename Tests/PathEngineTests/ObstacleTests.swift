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
        #expect(blocked == [.ownUDPBlocked, .peerUDPBlocked])
        let hard = tried([.hard, .hard])
        hard.nodes[0].paths.setNATBehavior(NATBehavior(mapping: .addressAndPortDependent))
        let ownHard = obstacle(hard)
        #expect(ownHard == .ownHard)
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
