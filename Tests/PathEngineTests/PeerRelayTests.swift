import Disco
import NetTypes
import PathEngine
import SimulatedMesh
import SimulatedNetwork
import Testing

@Suite("paths through peer relays")
struct PeerRelayTests {
    /// Two nodes, and a third with a public address that relays.
    private func makeMesh(
        _ seed: UInt64, _ one: NATKind = .hard, _ other: NATKind = .hard, relays: Int = 1
    ) -> Mesh {
        let mesh = Mesh(seed: seed, [one, other] + Array(repeating: .open, count: relays))
        for index in 0..<relays { mesh.makePeerRelay(2 + index) }
        mesh.start()
        mesh.run(for: .seconds(1))
        return mesh
    }

    private func usesRelay(_ mesh: Mesh) -> Bool {
        mesh.peerRelay(0, 1) != nil && mesh.peerRelay(1, 0) != nil
    }

    /// Traffic every 10 ms until `condition` holds; how long that took.
    private func time(
        _ mesh: Mesh, limit: Nanoseconds, until condition: (Mesh) -> Bool
    ) -> Nanoseconds? {
        let start = mesh.now
        while mesh.now - start < limit {
            mesh.sendData(from: 0, to: 1)
            mesh.run(for: .milliseconds(10))
            if condition(mesh) { return mesh.now - start }
        }
        return nil
    }

    private func longestSilence(_ mesh: Mesh, for duration: Nanoseconds) -> Nanoseconds {
        for node in mesh.nodes { node.longestSilence = [:] }
        mesh.exchange(0, 1, every: .milliseconds(20), for: duration)
        return max(
            mesh.nodes[0].longestSilence[1] ?? .minutes(1),
            mesh.nodes[1].longestSilence[0] ?? .minutes(1))
    }

    @Test("two nodes behind hard NATs meet at the relay, and their traffic goes that way alone")
    func meets() {
        for seed: UInt64 in 1...25 {
            let mesh = makeMesh(seed)
            let took = time(mesh, limit: .seconds(10), until: usesRelay)
            #expect((took ?? .minutes(1)) <= .seconds(2), "seed \(seed)")
            mesh.exchange(0, 1, every: .milliseconds(20), for: .seconds(1))
            let before = mesh.relayedCount(by: 2)
            let relayed = mesh.nodes[1].relayedArrivals[0, default: 0]
            mesh.exchange(0, 1, every: .milliseconds(20), for: .seconds(60))
            let isRelayed = usesRelay(mesh)
            #expect(isRelayed, "seed \(seed)")
            #expect(mesh.relayedCount(by: 2) - before >= 5_900, "seed \(seed)")
            #expect(
                mesh.nodes[1].relayedArrivals[0, default: 0] - relayed <= 20, "seed \(seed)")
            let address = mesh.peerRelay(0, 1)?.server.port
            #expect(address == 7_777)
        }
    }

    @Test(
        "a direct path that is found at once leaves relays alone", arguments: [NATKind.easy, .open])
    func notNeeded(kind: NATKind) {
        for seed: UInt64 in 1...10 {
            let mesh = makeMesh(seed, .easy, kind)
            mesh.exchange(0, 1, every: .milliseconds(20), for: .seconds(70))
            #expect(mesh.isDirect(0, 1), "seed \(seed)")
            #expect(mesh.relayedCount(by: 2) == 0, "seed \(seed)")
        }
    }

    @Test("when the relay dies DERP bridges, and when it is there again it is used again")
    func relayDies() {
        for seed: UInt64 in 1...15 {
            let mesh = makeMesh(seed)
            let took = time(mesh, limit: .seconds(10), until: usesRelay)
            #expect(took != nil, "seed \(seed)")
            mesh.exchange(0, 1, every: .milliseconds(20), for: .seconds(5))
            mesh.stopPeerRelay(2)
            let gap = longestSilence(mesh, for: .seconds(20))
            #expect(gap <= .milliseconds(500), "seed \(seed): \(gap.inMilliseconds) ms")
            let isRelayed = mesh.peerRelay(0, 1) != nil || mesh.peerRelay(1, 0) != nil
            #expect(!isRelayed, "seed \(seed)")
            mesh.makePeerRelay(2)
            let back = time(mesh, limit: .minutes(2), until: usesRelay)
            #expect((back ?? .minutes(9)) <= .seconds(35), "seed \(seed)")
        }
    }

    @Test("a relay that restarts with all forgotten is asked anew")
    func relayRestarts() {
        for seed: UInt64 in 1...15 {
            let mesh = makeMesh(seed)
            _ = time(mesh, limit: .seconds(10), until: usesRelay)
            mesh.exchange(0, 1, every: .milliseconds(20), for: .seconds(20))
            let old = mesh.peerRelay(0, 1)
            mesh.makePeerRelay(2)
            mesh.exchange(0, 1, every: .milliseconds(20), for: .seconds(1))
            let back = time(mesh, limit: .minutes(2)) {
                usesRelay($0) && $0.peerRelay(0, 1) != old
            }
            #expect((back ?? .minutes(9)) <= .seconds(10), "seed \(seed)")
        }
    }

    @Test("a client that moves binds again and loses the path for a moment only")
    func roams() {
        for seed: UInt64 in 1...15 {
            let mesh = makeMesh(seed)
            _ = time(mesh, limit: .seconds(10), until: usesRelay)
            mesh.exchange(0, 1, every: .milliseconds(20), for: .seconds(5))
            mesh.roam(0, to: .hard)
            let back = time(mesh, limit: .minutes(1), until: usesRelay)
            #expect((back ?? .minutes(9)) <= .seconds(3), "seed \(seed)")
        }
    }

    @Test("a NAT that forgets our mapping is noticed, and the new one bound")
    func rebinds() {
        for seed: UInt64 in 1...15 {
            let mesh = makeMesh(seed)
            _ = time(mesh, limit: .seconds(10), until: usesRelay)
            mesh.exchange(0, 1, every: .milliseconds(20), for: .seconds(5))
            mesh.network.restart(mesh.network.router(of: mesh.nodes[0].host)!)
            let gap = longestSilence(mesh, for: .seconds(5))
            #expect(gap <= .milliseconds(500), "seed \(seed): \(gap.inMilliseconds) ms")
            let isRelayed = usesRelay(mesh)
            #expect(isRelayed, "seed \(seed)")
        }
    }

    @Test("a direct path takes over as soon as one comes, and the relay's is let go")
    func leaves() {
        for seed: UInt64 in 1...10 {
            let mesh = makeMesh(seed)
            _ = time(mesh, limit: .seconds(10), until: usesRelay)
            for node in mesh.nodes.prefix(2) {
                mesh.network.setBehavior(.easy, of: mesh.network.router(of: node.host)!)
            }
            let direct = mesh.timeUntilDirect(0, 1, limit: .minutes(3))
            #expect(direct != nil, "seed \(seed)")
            mesh.exchange(0, 1, every: .milliseconds(20), for: .seconds(1))
            let before = mesh.relayedCount(by: 2)
            mesh.exchange(0, 1, every: .milliseconds(20), for: .seconds(120))
            #expect(mesh.relayedCount(by: 2) - before <= 4, "seed \(seed)")
        }
    }

    @Test("after a long silence the path is found anew; an idle pair costs the relay nothing")
    func idle() {
        for seed: UInt64 in 1...5 {
            let mesh = makeMesh(seed)
            _ = time(mesh, limit: .seconds(10), until: usesRelay)
            mesh.run(for: .minutes(2))
            let before = mesh.relayedCount(by: 2)
            mesh.run(for: .minutes(20))
            #expect(mesh.relayedCount(by: 2) == before, "seed \(seed)")
            #expect(mesh.nodes[0].nextDeadline == nil || mesh.nodes[0].wakeUpCount < 5_000)
            let back = time(mesh, limit: .minutes(1), until: usesRelay)
            #expect((back ?? .minutes(9)) <= .seconds(3), "seed \(seed)")
        }
    }

    @Test("of two relays the nearer one is used, and the other when that one dies")
    func twoRelays() {
        for seed: UInt64 in 1...10 {
            let mesh = makeMesh(seed, relays: 2)
            // Packets by the farther one cross its link twice.
            let farDelay = Nanoseconds.milliseconds(150)
            mesh.network.setLink(.init(delay: farDelay), of: mesh.nodes[2].host)
            _ = time(mesh, limit: .seconds(10), until: usesRelay)
            mesh.exchange(0, 1, every: .milliseconds(20), for: .seconds(10))
            let near = mesh.network.addresses(of: mesh.nodes[3].host)[0]
            let used = mesh.peerRelay(0, 1)?.server.address
            #expect(used == near, "seed \(seed)")
            mesh.stopPeerRelay(3)
            let gap = longestSilence(mesh, for: .seconds(20))
            // A dead path is left after 390 ms, and then the first packet has the longer way to go.
            #expect(
                gap <= .milliseconds(390) + farDelay * 2, "seed \(seed): \(gap.inMilliseconds) ms")
            let isRelayed = usesRelay(mesh)
            #expect(isRelayed, "seed \(seed)")
        }
    }

    @Test("two nodes without a common address family go on asking, and meet when a relay is there")
    func noCommonFamily() {
        for seed: UInt64 in 1...10 {
            let mesh = Mesh(seed: seed, [.easy, .ipv6Only])
            mesh.addNode(
                "relay",
                on: mesh.network.addHost(
                    [address("203.0.113.77"), address("2001:db8:77::1")],
                    link: .init(delay: .milliseconds(10))))
            mesh.makePeerRelay(2)
            mesh.start()
            mesh.stopPeerRelay(2)
            mesh.run(for: .seconds(1))
            // Past the rounds in which there was hope.
            mesh.exchange(0, 1, every: .milliseconds(100), for: .seconds(60))
            #expect(!usesRelay(mesh), "seed \(seed)")
            mesh.makePeerRelay(2)
            let took = time(mesh, limit: .minutes(3), until: usesRelay)
            #expect((took ?? .minutes(9)) <= .seconds(35), "seed \(seed)")
            mesh.exchange(0, 1, every: .milliseconds(20), for: .seconds(1))
            let families = [mesh.peerRelay(0, 1), mesh.peerRelay(1, 0)].map {
                $0?.server.address.isIPv4
            }
            #expect(families == [true, false], "seed \(seed)")
            let before = mesh.relayedCount(by: 2)
            mesh.exchange(0, 1, every: .milliseconds(20), for: .seconds(10))
            #expect(mesh.relayedCount(by: 2) - before >= 990, "seed \(seed)")
        }
    }

    @Test("switched off, no relay is asked or joined")
    func switchedOff() {
        let mesh = makeMesh(1)
        mesh.nodes[0].paths.setPeerRelays(isEnabled: false, at: mesh.now)
        let took = time(mesh, limit: .seconds(20), until: usesRelay)
        #expect(took == nil)
        #expect(mesh.relayedCount(by: 2) == 0)
    }
}
