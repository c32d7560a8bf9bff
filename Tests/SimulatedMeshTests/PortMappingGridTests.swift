import NetTypes
import SimulatedMesh
import Testing

@Suite("a router that maps ports")
struct PortMappingGridTests {
    @Test("makes a pair behind two unpredictable NATs direct, at whichever side it is")
    func hardHard() {
        for other: NATKind in [.symmetric, .symmetricBlocks, .addressDependent, .symmetricMapping] {
            for seed: UInt64 in 1...10 {
                let outcome = GridPair.apart(.symmetricMapping, other).run(seed: seed)
                #expect(outcome.direct ?? .minutes(1) <= .milliseconds(400), "\(other), \(seed)")
            }
        }
    }

    @Test("and the search through hard NATs leaves it alone")
    func noSearch() {
        let mesh = Mesh(seed: 5, [.symmetricMapping, .symmetric])
        mesh.start()
        mesh.run(for: .seconds(5))
        mesh.exchange(0, 1, every: .milliseconds(100), for: .seconds(20))
        let isDirect = mesh.isDirect(0, 1) && mesh.isDirect(1, 0)
        #expect(isDirect)
        #expect(mesh.nodes.allSatisfy { $0.openSocketsMost == 0 })
    }
}
