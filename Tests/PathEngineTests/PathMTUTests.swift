import NetTypes
import PathEngine
import SimulatedMesh
import SimulatedNetwork
import Testing

@Suite("what datagrams pass a path")
struct PathMTUTests {
    /// Two nodes between which no more than `limit` bytes of payload pass directly.
    private func connected(_ seed: UInt64, limit: Int? = nil) -> Mesh {
        let mesh = Mesh(seed: seed, [.easy, .easy])
        mesh.dataByteCount = 1_312
        mesh.answerByteCount = 1_312
        if let limit { setLimit(limit, mesh) }
        mesh.start()
        mesh.run(for: .seconds(1))
        return mesh
    }

    private func setLimit(_ limit: Int, _ mesh: Mesh) {
        let (one, other) = (mesh.nodes[0].host, mesh.nodes[1].host)
        mesh.network.limitPayload(from: one, to: other, byteCount: limit)
        mesh.network.limitPayload(from: other, to: one, byteCount: limit)
    }

    private func missing(_ mesh: Mesh) -> Int {
        [(0, 1), (1, 0)].reduce(0) { sum, pair in
            let sent = Int(mesh.nodes[pair.0].sent[pair.1] ?? 0)
            return sum + sent - (mesh.nodes[pair.1].received[pair.0]?.count ?? 0)
        }
    }

    private func mtu(_ mesh: Mesh, at node: Int = 0) -> PathMTUStatus? {
        mesh.nodes[node].paths.status(of: 1 - node, at: mesh.now)?.mtu
    }

    @Test("the largest packets go direct after one answered ping of their size, and none is lost")
    func wide() {
        for seed: UInt64 in 1...20 {
            let mesh = connected(seed)
            let time = mesh.timeUntilDirect(0, 1, limit: .seconds(2)) ?? .minutes(1)
            mesh.exchange(0, 1, every: .milliseconds(5), for: .milliseconds(200))
            let route = mesh.nodes[0].paths.route(for: 1, byteCount: 1_312, at: mesh.now)
            #expect(route.direct != nil && route.relayRegion == nil, "seed \(seed)")
            let status = mtu(mesh)
            #expect(status == PathMTUStatus(datagramByteCount: 1_312, innerByteCount: nil))
            mesh.run(for: .seconds(1))
            let lost = missing(mesh)
            #expect(lost == 0, "seed \(seed): \(lost) lost")
            #expect(time <= .milliseconds(300), "seed \(seed)")
        }
    }

    @Test(
        "a narrow path is measured within three seconds; large packets go by relay, none is lost",
        arguments: [1_210, 1_250, 1_290, 1_311])
    func narrow(limit: Int) {
        for seed: UInt64 in 1...20 {
            let mesh = connected(seed, limit: limit)
            _ = mesh.timeUntilDirect(0, 1, limit: .seconds(2))
            mesh.exchange(0, 1, every: .milliseconds(10), for: .seconds(3))
            for node in 0...1 {
                let status = mtu(mesh, at: node)
                let passes = status?.datagramByteCount ?? 0
                #expect(passes <= limit && passes > limit - 20, "seed \(seed): \(passes)")
                #expect(status?.innerByteCount == (passes - 32) / 16 * 16, "seed \(seed)")
            }
            let large = mesh.nodes[0].paths.route(for: 1, byteCount: 1_312, at: mesh.now)
            let small = mesh.nodes[0].paths.route(for: 1, byteCount: 1_200, at: mesh.now)
            #expect(large.direct == nil && large.relayRegion == 1, "seed \(seed)")
            #expect(small.direct != nil && small.relayRegion == nil, "seed \(seed)")
            mesh.run(for: .seconds(1))
            let lost = missing(mesh)
            #expect(lost == 0, "seed \(seed): \(lost) lost")
        }
    }

    @Test("a path that becomes a black hole is measured anew within five seconds, and again later")
    func blackHole() {
        for seed: UInt64 in 1...20 {
            let mesh = connected(seed)
            _ = mesh.timeUntilDirect(0, 1, limit: .seconds(2))
            mesh.exchange(0, 1, every: .milliseconds(20), for: .seconds(3))
            setLimit(1_240, mesh)
            mesh.exchange(0, 1, every: .milliseconds(20), for: .seconds(5))
            let passes = mtu(mesh)?.datagramByteCount ?? 0
            #expect(passes <= 1_240 && passes >= 1_200, "seed \(seed): \(passes)")
            let isDirect = mesh.isDirect(0, 1)
            #expect(isDirect, "seed \(seed)")
            let pings = mesh.nodes[0].paths.counters.pingsSent
            mesh.exchange(0, 1, every: .milliseconds(50), for: .seconds(30))
            let more = mesh.nodes[0].paths.counters.pingsSent - pings
            #expect(more <= 60, "seed \(seed): \(more) pings in 30 s")
            mesh.network.mend(mesh.nodes[0].host, mesh.nodes[1].host)
            mesh.exchange(0, 1, every: .milliseconds(100), for: .minutes(11))
            let raised = mtu(mesh)
            #expect(
                raised == PathMTUStatus(datagramByteCount: 1_312, innerByteCount: nil),
                "seed \(seed)")
        }
    }

    @Test("a path on which packets are lost at random is not taken for narrow")
    func loss() {
        for seed: UInt64 in 1...20 {
            let mesh = Mesh(seed: seed, [.easy, .easy], loss: 0.02)
            mesh.dataByteCount = 1_312
            mesh.start()
            mesh.run(for: .seconds(1))
            _ = mesh.timeUntilDirect(0, 1, limit: .seconds(5))
            mesh.exchange(0, 1, every: .milliseconds(20), for: .seconds(30))
            let passes = mtu(mesh)?.datagramByteCount
            #expect(passes == 1_312, "seed \(seed): \(passes ?? 0)")
        }
    }

    @Test("official peers answer the padded pings and get nothing else that is large")
    func official() {
        for seed: UInt64 in 1...5 {
            let mesh = connected(seed)
            let official = OfficialPeer(1, peer: 0, in: mesh)
            official.learn(mesh.nodes[0].announced)
            mesh.officials[1] = official
            mesh.exchange(0, 1, every: .milliseconds(20), for: .seconds(5))
            let passes = mtu(mesh)?.datagramByteCount
            #expect(passes == 1_312, "seed \(seed): \(passes ?? 0)")
        }
    }

    @Test("without a relay large packets go directly, whatever is known")
    func withoutRelay() {
        let mesh = connected(1)
        mesh.exchange(0, 1, every: .milliseconds(20), for: .seconds(3))
        for node in 0...1 { mesh.nodes[node].homeRelay = nil }
        for node in 0...1 {
            mesh.tellPeers(of: node)
            mesh.nodes[node].paths.noteRelayPeerGone(mesh.nodes[1 - node].nodeKey, region: 1)
        }
        let route = mesh.nodes[0].paths.route(for: 1, byteCount: 9_000, at: mesh.now)
        #expect(route.direct != nil)
    }
}
