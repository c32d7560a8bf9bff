import NetReport
import NetTypes
import PathEngine
import SimulatedMesh
import SimulatedNetwork
import Testing

@Suite("when a path fails")
struct FailoverTests {
    /// Two connected nodes with traffic every 20 ms both ways.
    private func connected(_ seed: UInt64, _ places: [NATKind]) -> Mesh {
        let mesh = Mesh(seed: seed, places)
        mesh.start()
        mesh.run(for: .seconds(1))
        mesh.exchange(0, 1, every: .milliseconds(20), for: .seconds(3))
        #expect(mesh.isDirect(0, 1) && mesh.isDirect(1, 0), "seed \(seed), \(places)")
        return mesh
    }

    /// The longest time without a packet, on either side, while traffic goes on for `duration`.
    private func longestSilence(_ mesh: Mesh, for duration: Nanoseconds) -> Nanoseconds {
        for node in mesh.nodes { node.longestSilence = [:] }
        mesh.exchange(0, 1, every: .milliseconds(20), for: duration)
        return max(
            mesh.nodes[0].longestSilence[1] ?? .minutes(1),
            mesh.nodes[1].longestSilence[0] ?? .minutes(1))
    }

    @Test(
        "a cut direct path is bridged by the relay: half a second at the most",
        arguments: [[NATKind.easy, .easy], [.open, .open], [.open, .hard], [.carrier, .easy]])
    func cut(places: [NATKind]) {
        for seed: UInt64 in 1...25 {
            let mesh = connected(seed, places)
            mesh.network.cut(mesh.nodes[0].host, mesh.nodes[1].host)
            let gap = longestSilence(mesh, for: .seconds(6))
            #expect(gap <= .milliseconds(500), "seed \(seed), \(places): \(gap.inMilliseconds) ms")
            let isDirect = mesh.isDirect(0, 1) || mesh.isDirect(1, 0)
            #expect(!isDirect, "seed \(seed), \(places)")
        }
    }

    @Test("the relay behind a direct path is kept ready while packets flow, and not after")
    func relayLikely() {
        func count(_ mesh: Mesh) -> Int {
            mesh.nodes[0].events.count { $0 == .relayLikely(region: 1) }
        }
        let mesh = connected(3, [.easy, .easy])
        let begun = count(mesh)
        #expect(begun >= 1)
        mesh.exchange(0, 1, every: .milliseconds(20), for: .seconds(60))
        // More often than connections to relays are closed for being idle.
        #expect((begun + 2...begun + 4).contains(count(mesh)))
        mesh.run(for: .minutes(1))
        let ended = count(mesh)
        mesh.run(for: .minutes(5))
        #expect(count(mesh) == ended)
    }

    @Test("a mended path is used again")
    func mended() {
        for seed: UInt64 in 1...10 {
            let mesh = connected(seed, [.easy, .easy])
            mesh.network.cut(mesh.nodes[0].host, mesh.nodes[1].host)
            mesh.exchange(0, 1, every: .milliseconds(20), for: .seconds(10))
            mesh.network.mend(mesh.nodes[0].host, mesh.nodes[1].host)
            let time = mesh.timeUntilDirect(0, 1, limit: .seconds(10))
            #expect((time ?? .minutes(1)) <= .seconds(6), "seed \(seed)")
        }
    }

    @Test("one direction of traffic only: a cut is bridged within a second")
    func oneWay() {
        for seed: UInt64 in 1...20 {
            let mesh = connected(seed, [.easy, .easy])
            mesh.answersData = false
            mesh.exchange(0, 1, every: .milliseconds(20), for: .seconds(20))
            let pings = mesh.nodes[0].discoSentTotal
            mesh.exchange(0, 1, every: .milliseconds(20), for: .seconds(20))
            let perSecond = Double(mesh.nodes[0].discoSentTotal - pings) / 20
            #expect(perSecond <= 6, "seed \(seed): \(perSecond) disco datagrams a second")
            mesh.network.cut(mesh.nodes[0].host, mesh.nodes[1].host)
            mesh.nodes[1].longestSilence = [:]
            mesh.exchange(0, 1, every: .milliseconds(20), for: .seconds(10))
            let gap = mesh.nodes[1].longestSilence[0] ?? .minutes(1)
            #expect(gap <= .seconds(1), "seed \(seed): \(gap.inMilliseconds) ms")
        }
    }

    @Test("a path cut in one direction only, while data comes in on it, is bridged within a second")
    func cutOneWay() {
        for seed: UInt64 in 1...20 {
            for (from, to) in [(0, 1), (1, 0)] {
                let mesh = connected(seed, [.easy, .easy])
                mesh.network.cut(from: mesh.nodes[from].host, to: mesh.nodes[to].host)
                let gap = longestSilence(mesh, for: .seconds(5))
                #expect(
                    gap <= .seconds(1), "seed \(seed), from \(from): \(gap.inMilliseconds) ms")
            }
        }
    }

    @Test("when one address family fails the other takes over")
    func otherFamily() {
        for seed: UInt64 in 1...10 {
            let mesh = Mesh(seed: seed)
            let way = SimulatedNetwork.Link(delay: .milliseconds(10), jitter: .milliseconds(2))
            for index in 1...2 {
                let host = mesh.network.addHost(
                    [address("203.0.113.\(index)"), address("2001:db8::\(index)")], link: way)
                mesh.addNode("\(index)", on: host)
            }
            mesh.start()
            mesh.run(for: .seconds(1))
            mesh.exchange(0, 1, every: .milliseconds(20), for: .seconds(20))
            let before = mesh.nodes[0].paths.status(of: 1, at: mesh.now)?.currentEndpoint
            let rest = mesh.network.addresses(of: mesh.nodes[1].host)
                .filter { $0 != before?.address }
            mesh.network.move(mesh.nodes[1].host, to: rest, behind: nil)
            let gap = longestSilence(mesh, for: .seconds(3))
            let after = mesh.nodes[0].paths.status(of: 1, at: mesh.now)?.currentEndpoint
            #expect(gap <= .milliseconds(800), "seed \(seed): \(gap.inMilliseconds) ms")
            #expect(before != nil && after?.address == rest.first, "seed \(seed)")
        }
    }

    @Test("a node that roams is direct again soon, and reachable in between")
    func roaming() {
        for seed: UInt64 in 1...25 {
            let mesh = connected(seed, [.easy, .easy])
            let elsewhere = mesh.network.addRouter(
                .easy, outside: [address("203.0.113.99")],
                link: SimulatedNetwork.Link(delay: .milliseconds(12)))
            let host = mesh.nodes[0].host
            mesh.network.move(host, to: [address("10.7.7.7")], behind: elsewhere)
            mesh.setLocalEndpoints(of: 0)
            mesh.nodes[0].paths.handleLinkChange(at: mesh.now)
            mesh.nodes[0].report.handleLinkChange(at: mesh.now)
            mesh.drain(0)
            for node in mesh.nodes { node.longestSilence = [:] }
            let time = mesh.timeUntilDirect(0, 1, limit: .seconds(5))
            #expect(
                (time ?? .minutes(1)) <= .seconds(1),
                "seed \(seed): \(time?.inMilliseconds ?? -1) ms")
            let gap = max(
                mesh.nodes[0].longestSilence[1] ?? .zero, mesh.nodes[1].longestSilence[0] ?? .zero)
            #expect(gap <= .milliseconds(500), "seed \(seed): \(gap.inMilliseconds) ms")
        }
    }

    @Test(
        "a router that forgets its mappings and changes its address is noticed without being told")
    func routerRestart() {
        for seed: UInt64 in 1...20 {
            let mesh = Mesh(seed: seed)
            let way = SimulatedNetwork.Link(delay: .milliseconds(10))
            let router = mesh.network.addRouter(
                .easy, outside: [address("203.0.113.1")], link: way)
            let inside = mesh.network.addHost(
                [address("192.168.1.2")], behind: router,
                link: SimulatedNetwork.Link(delay: .microseconds(500)))
            mesh.addNode("behind router", on: inside)
            mesh.addNode("open", on: mesh.network.addHost([address("203.0.113.7")], link: way))
            mesh.start()
            mesh.run(for: .seconds(1))
            mesh.exchange(0, 1, every: .milliseconds(20), for: .seconds(3))
            mesh.network.restart(router, outside: [address("203.0.113.50")])
            let gap = longestSilence(mesh, for: .seconds(5))
            #expect(gap <= .milliseconds(500), "seed \(seed): \(gap.inMilliseconds) ms")
            #expect(mesh.isDirect(0, 1) && mesh.isDirect(1, 0), "seed \(seed)")
        }
    }

    @Test("a peer that restarts with a new disco key is found again when the netmap says so")
    func peerRestart() {
        for seed: UInt64 in 1...20 {
            let mesh = connected(seed, [.easy, .easy])
            mesh.nodes[1].restart(seed: seed &+ 777)
            mesh.configure(1)
            mesh.tellPeers(of: 1)
            mesh.drain(1)
            mesh.spreadNetmap()
            let time = mesh.timeUntilDirect(0, 1, limit: .seconds(5))
            #expect(
                (time ?? .minutes(1)) <= .milliseconds(600),
                "seed \(seed): \(time?.inMilliseconds ?? -1) ms")
        }
    }

    @Test("a machine that slept for an hour probes anew instead of trusting the past")
    func suspend() {
        let mesh = connected(4, [.easy, .easy])
        var asleep = mesh.now + .minutes(60)
        mesh.nodes[0].paths.handleTimeout(at: asleep)
        let route = mesh.nodes[0].paths.route(for: 1, at: asleep)
        #expect(route.relayRegion == 1)
        asleep = asleep + .milliseconds(1)
        mesh.nodes[0].paths.handleTimeout(at: asleep)
        let transmit = mesh.nodes[0].paths.pollTransmit()
        #expect(transmit != nil)
    }

    @Test("a better path takes over, and near-equal ones do not flap")
    func calm() {
        for seed: UInt64 in 1...3 {
            let mesh = Mesh(seed: seed)
            let jittery = SimulatedNetwork.Link(delay: .milliseconds(10), jitter: .milliseconds(4))
            for index in 1...2 {
                let host = mesh.network.addHost(
                    [address("203.0.113.\(index)"), address("2001:db8::\(index)")], link: jittery)
                mesh.addNode("\(index)", on: host)
            }
            mesh.start()
            mesh.run(for: .seconds(1))
            mesh.exchange(0, 1, every: .milliseconds(200), for: .minutes(10))
            let changes = mesh.nodes[0].events.filter {
                if case .pathChanged = $0 { true } else { false }
            }
            #expect((1...4).contains(changes.count), "seed \(seed): \(changes.count) changes")
        }
    }
}
