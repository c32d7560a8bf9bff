import NetTypes
import PathEngine
import SimulatedMesh
import SimulatedNetwork
import Testing

@Suite("why a pair of the grid stays on the relay")
struct ObstacleGridTests {
    private static let relayed = GridPair.all.filter {
        $0.theory == .none || $0.theory == .guessBoth
    }

    /// What each side should name after half a minute of traffic.
    private static func expected(_ pair: GridPair) -> [PathObstacle] {
        guard case .apart(let one, let other) = pair else {
            return [.noHairpin(address("203.0.113.1")), .noHairpin(address("203.0.113.1"))]
        }
        switch (one == .udpBlocked, other == .udpBlocked) {
        case (true, true): return [.udpBlocked(.both), .udpBlocked(.both)]
        case (true, false): return [.udpBlocked(.own), .udpBlocked(.peer)]
        case (false, true): return [.udpBlocked(.peer), .udpBlocked(.own)]
        case (false, false): break
        }
        if one == .ipv6Only || other == .ipv6Only {
            return [one, other].map { .noCommonFamily(ownHasIPv4: $0 != .ipv6Only) }
        }
        let unpredictable = PathObstacle.hardNAT(.both, .unpredictable, retryIn: nil)
        return [unpredictable, unpredictable]
    }

    @Test("both sides name what stands in the way, and where")
    func pairs() {
        var shown: Set<String> = []
        for pair in Self.relayed {
            let mesh = pair.mesh(seed: 1, swapped: false)
            mesh.start()
            mesh.run(for: .seconds(5))
            mesh.exchange(0, 1, every: .milliseconds(100), for: .seconds(25))
            if mesh.isDirect(0, 1), mesh.isDirect(1, 0) { continue }
            let status = (0...1).map { mesh.nodes[$0].paths.status(of: 1 - $0, at: mesh.now) }
            let found = status.map(\.?.obstacle)
            #expect(found == Self.expected(pair), "\(pair.names)")
            for obstacle in found { shown.insert(obstacle?.sentence(to: "bob") ?? "") }
        }
        #expect(shown.count == 7, "\(shown)")
    }
}
