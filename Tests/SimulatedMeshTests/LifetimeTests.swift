import NetReport
import NetTypes
import SimulatedMesh
import SimulatedNetwork
import Testing

@Suite("lifetimes of NAT mappings")
struct LifetimeTests {
    /// Two nodes in use for `duration`, or until the first has settled what it can learn.
    private func use(_ mesh: Mesh, for duration: Nanoseconds) {
        mesh.every(.seconds(20), for: duration) { mesh in mesh.sendData(from: 0, to: 1) }
        mesh.run(for: duration)
    }

    private func mesh(
        _ lifetime: Nanoseconds, _ change: (inout RouterBehavior) -> Void = { _ in }
    ) -> Mesh {
        let mesh = Mesh(seed: 1, lifetime: lifetime, change)
        mesh.refreshesReports = true
        mesh.start()
        mesh.run(for: .seconds(8))
        return mesh
    }

    /// For the first node's NAT.
    private func set(_ behavior: RouterBehavior, in mesh: Mesh) {
        guard let router = mesh.network.router(of: mesh.nodes[0].host) else {
            Issue.record("the node has no router")
            return
        }
        mesh.network.setBehavior(behavior, of: router)
    }

    @Test(
        "what is learned is less than the lifetime, and not much less, whatever the ports do",
        arguments: [30, 60, 120, 300], [false, true])
    func learned(seconds: Int64, changesPort: Bool) {
        let lifetime = Nanoseconds.seconds(seconds)
        let mesh = mesh(lifetime) {
            $0.changesPortOnExpiry = changesPort
            $0.inboundRefreshes = changesPort
        }
        let before = mesh.nodes[0].stunSentTotal
        use(mesh, for: .minutes(40))
        let learned = mesh.nodes[0].report.mappingLifetime
        if seconds == 30 {
            #expect(learned == nil, "too near to what the field takes to be safe")
        } else {
            #expect((learned ?? .zero) <= lifetime * 3 / 4)
            #expect((learned ?? .zero) >= lifetime * 11 / 20, "\(learned?.inSeconds ?? 0) s")
        }
        // A report every 20 to 26 s, of two packets at the most, would be 180.
        let spent = mesh.nodes[0].stunSentTotal - before
        #expect(spent <= 330, "\(spent)")
        #expect(!mesh.nodes[0].holdsProbes, "the search is over")
        let after = mesh.nodes[0].stunSentTotal
        use(mesh, for: .minutes(20))
        let perMinute = (mesh.nodes[0].stunSentTotal - after) / 20
        #expect(perMinute <= (seconds >= 120 ? 2 : 6), "\(perMinute) a minute")
    }

    @Test("of a NAT that keeps mappings now for longer and now for less, the less counts")
    func varying() {
        let mesh = mesh(.seconds(200))
        var behavior = RouterBehavior.easy
        behavior.changesPortOnExpiry = true
        var isShort = false
        mesh.every(.seconds(130), for: .minutes(60)) { mesh in
            isShort.toggle()
            behavior.mappingLifetime = isShort ? .seconds(60) : .seconds(200)
            set(behavior, in: mesh)
        }
        use(mesh, for: .minutes(60))
        #expect((mesh.nodes[0].report.mappingLifetime ?? .zero) <= .seconds(60))
    }

    @Test("what proves wrong is given up, and learned anew")
    func disproved() {
        let mesh = mesh(.seconds(300))
        use(mesh, for: .minutes(40))
        #expect((mesh.nodes[0].report.mappingLifetime ?? .zero) > .seconds(120))
        // From now on the pair is relayed, and what is sent all the same comes too late.
        var behavior = RouterBehavior.easy
        behavior.changesPortOnExpiry = true
        behavior.mappingLifetime = .seconds(20)
        set(behavior, in: mesh)
        mesh.network.cut(mesh.nodes[0].host, mesh.nodes[1].host)
        use(mesh, for: .minutes(60))
        #expect((mesh.nodes[0].report.mappingLifetime ?? .zero) <= .seconds(25))
    }

    @Test("a network that is known is not searched again")
    func remembered() {
        let mesh = mesh(.seconds(120))
        use(mesh, for: .minutes(40))
        let learned = mesh.nodes[0].report.mappingLifetime
        #expect(learned != nil)
        mesh.nodes[0].report.handleLinkChange(at: mesh.now)
        #expect(mesh.nodes[0].report.mappingLifetime == nil, "it may be another network")
        mesh.drain(0)
        use(mesh, for: .seconds(30))
        #expect(mesh.nodes[0].report.mappingLifetime == learned)
        #expect(!mesh.nodes[0].holdsProbes)
    }

    @Test("what was learned holds after a restart, and nonsense is not believed")
    func restarted() {
        let mesh = mesh(.seconds(120))
        use(mesh, for: .minutes(40))
        let learned = mesh.nodes[0].learnedLifetimes
        #expect(learned.map(\.safeGap) == [mesh.nodes[0].report.mappingLifetime])
        mesh.nodes[0].restart(seed: 77)
        #expect(mesh.nodes[0].report.learnedLifetimes.isEmpty)
        mesh.nodes[0].report.setLearnedLifetimes(
            learned + [
                LearnedLifetime(address: address("203.0.113.200"), safeGap: .minutes(6_000)),
                LearnedLifetime(address: address("203.0.113.201"), safeGap: .seconds(1)),
            ])
        let believed = mesh.nodes[0].report.learnedLifetimes
        #expect(believed.map(\.safeGap) == [learned.first?.safeGap, .minutes(60)])
        mesh.configure(0)
        mesh.tellPeers(of: 0)
        mesh.drain(0)
        use(mesh, for: .seconds(30))
        #expect(mesh.nodes[0].report.mappingLifetime == learned.first?.safeGap)
        #expect(!mesh.nodes[0].holdsProbes, "no search")
    }

    @Test("no idle node wakes for the search")
    func idle() {
        let mesh = mesh(.seconds(120))
        use(mesh, for: .minutes(3))
        mesh.run(for: .minutes(2))
        let before = mesh.nodes[0].wakeUpCount
        mesh.run(for: .minutes(60))
        #expect(mesh.nodes[0].wakeUpCount - before <= 60)
        #expect(mesh.nodes[0].holdsProbes, "it goes on when the node is used again")
        use(mesh, for: .minutes(40))
        #expect(mesh.nodes[0].report.mappingLifetime != nil)
    }

    @Test("servers without RESPONSE-PORT tell where a NAT gives other ports, and nothing elsewhere")
    func plainServers() {
        for (allocation, isKnown) in [
            (RouterBehavior.PortAllocation.random, true), (.preserving, false),
        ] {
            let mesh = Mesh(seed: 2, lifetime: .seconds(120)) {
                $0.allocation = allocation
                $0.changesPortOnExpiry = allocation == .random
            }
            mesh.answersFromElsewhere = false
            mesh.refreshesReports = true
            mesh.start()
            mesh.run(for: .seconds(8))
            use(mesh, for: .minutes(40))
            let learned = mesh.nodes[0].report.mappingLifetime
            #expect((learned != nil) == isKnown, "\(allocation): \(learned?.inSeconds ?? 0) s")
            #expect((learned ?? .zero) <= .seconds(90))
            #expect(!mesh.nodes[0].holdsProbes)
        }
    }
}
