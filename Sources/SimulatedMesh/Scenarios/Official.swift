import NetTypes
import SimulatedNetwork

extension Scenario {
    /// With a peer that runs the official client (`OfficialPeer`), and over links that lose packets.
    static var others: [Scenario] {
        [
            official(.portRestricted, .portRestricted),
            official(.open, .portRestricted),
            official(.symmetric, .open),
            official(.addressRestricted, .symmetric),
            Scenario(
                name: "official client, no direct path possible: our busiest second",
                unit: .packets, goal: 40, percentile: 95, seedCount: 20
            ) { seed in
                let mesh = Mesh.withOfficial(seed, .portRestricted, .symmetric)
                mesh.exchange(0, 1, every: .milliseconds(20), for: .seconds(30))
                return mesh.nodes[0].discoSent.values.max() ?? 0
            },
            lossy(percent: 2, goal: 300), lossy(percent: 10, goal: 1_000),
        ]
    }

    private static func official(_ ours: NATKind, _ theirs: NATKind) -> Scenario {
        Scenario(
            name: "official client: to a direct path on both sides (\(ours) – \(theirs))",
            unit: .milliseconds, goal: 500, percentile: 95, seedCount: 40
        ) { seed in
            let mesh = Mesh.withOfficial(seed, ours, theirs)
            let starter = Int(seed % 2)
            let start = mesh.now
            while mesh.now - start < .seconds(15) {
                mesh.sendData(from: starter, to: 1 - starter)
                mesh.run(for: .milliseconds(10))
                if mesh.isDirect(0, 1), mesh.officials[1]?.isTrusted(at: mesh.now) == true {
                    return (mesh.now - start).wholeMilliseconds
                }
            }
            return nil
        }
    }

    private static func lossy(percent: Int, goal: Int) -> Scenario {
        Scenario(
            name: "\(percent) % loss on each link: to a direct path", unit: .milliseconds,
            goal: goal, percentile: 95, seedCount: 200
        ) { seed in
            let mesh = Mesh(
                seed: seed, [.portRestricted, .portRestricted], loss: Double(percent) / 100)
            mesh.start()
            mesh.run(for: .seconds(5))
            return mesh.timeUntilDirect(0, 1, limit: .seconds(15))?.wholeMilliseconds
        }
    }
}

extension Mesh {
    /// Ours, and one that runs the official client and knows our endpoints.
    fileprivate static func withOfficial(
        _ seed: UInt64, _ ours: NATKind, _ theirs: NATKind
    ) -> Mesh {
        let mesh = Mesh(seed: seed, [ours, theirs])
        mesh.start()
        mesh.run(for: .seconds(5))
        let official = OfficialPeer(1, peer: 0, in: mesh)
        official.learn(mesh.nodes[0].announced)
        mesh.officials[1] = official
        return mesh
    }
}
