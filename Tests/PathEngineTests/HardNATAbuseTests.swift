import CryptoPrimitives
import Disco
import NetReport
import NetTypes
import SimulatedMesh
import SimulatedNetwork
import Testing

@testable import PathEngine

@Suite("hard NATs: peers that lie, flood or are late")
struct HardNATAbuseTests {
    /// Sends `message` by relay as node 1 to node 0.
    private func send(_ message: DiscoMessage, _ mesh: Mesh, by udp: Endpoint? = nil) {
        let (from, to) = (mesh.nodes[1], mesh.nodes[0])
        var random = SeededRandom(seed: mesh.now.nanoseconds)
        let box = DiscoBox(own: from.discoKey, peer: to.discoKey.publicKey)!
        let plaintext = message.encoded()
        let bytes = unsafe box.seal(plaintext.span.bytes, random: &random)
        mesh.network.relay(bytes, region: 1, from: from.nodeKey, on: from.host, to: to.nodeKey)
    }

    private func request(
        _ attempt: UInt32, _ endpoint: Endpoint,
        _ allocation: HardNATMessage.Allocation = .random
    ) -> DiscoMessage {
        .hardNAT(
            HardNATMessage(
                .request, attempt: attempt, mapping: .addressAndPortDependent,
                allocation: allocation, endpoint: endpoint))
    }

    /// Node 0 behind an easy NAT, node 1 with a public address, which never says anything by itself.
    private func pair(_ seed: UInt64) -> HardPair {
        HardPair(seed, [.easy, .udpBlocked])
    }

    @Test("an address that the peer has not announced gets no packet")
    func strangeAddress() {
        let mesh = pair(1).mesh
        mesh.network.isTracing = true
        let victim = Endpoint(address("203.0.113.99"), port: 4_000)
        for attempt: UInt32 in 1...20 {
            send(request(attempt, victim), mesh)
            mesh.run(for: .seconds(2))
        }
        #expect(!mesh.network.trace.contains { $0.to.address == victim.address })
    }

    @Test("neither a flood of requests nor new attempts raise the rate or the sum of probes")
    func flood() {
        let mesh = pair(2).mesh
        mesh.network.isTracing = true
        let victim = Endpoint(address("203.0.113.99"), port: 4_000)
        // It claims the address of somebody else by CallMeMaybe, as a member of the network can.
        send(.callMeMaybe([victim]), mesh)
        mesh.run(for: .milliseconds(200))
        for attempt: UInt32 in 1...3_000 {
            send(request(attempt, victim), mesh)
            mesh.run(for: .milliseconds(100))
            if attempt.isMultiple(of: 50) { send(.callMeMaybe([victim]), mesh) }
        }
        let sent = mesh.network.trace.filter {
            $0.what == .sent && $0.to.address == victim.address
        }
        // Five minutes: what three windows allow, and the pings that any candidate gets.
        #expect(sent.count <= 3 * HardNATTiming.probesMax + 400, "\(sent.count) packets")
        var second = 0
        for (index, entry) in sent.enumerated() {
            while entry.at - sent[second].at >= .seconds(1) { second += 1 }
            #expect(index - second < 260, "more than 260 packets in one second")
        }
    }

    @Test("a peer that calls its NAT hard or gives tiny and reversed ranges harms nobody")
    func lies() {
        for allocation: HardNATMessage.Allocation in [.unknown, .preserving, .sequential, .block] {
            let mesh = pair(3).mesh
            let own = Endpoint(address("203.0.113.2"), port: 4_000)
            send(.callMeMaybe([own]), mesh)
            mesh.run(for: .milliseconds(200))
            let before = mesh.nodes[0].discoSentTotal
            let message = HardNATMessage(
                .request, attempt: 9, mapping: .endpointIndependent, allocation: allocation,
                endpoint: own, ports: 40_000...40_000)
            send(.hardNAT(message), mesh)
            mesh.run(for: .seconds(10))
            #expect(mesh.nodes[0].discoSentTotal - before <= 30)
        }
        let reversed: [UInt8] =
            [HardNATMessage.typeNumber, 0, 1, 3, 4, 0, 0, 0, 0, 1]
            + [UInt8](repeating: 0, count: 18) + [0x20, 0, 0x10, 0]
        #expect(throws: DiscoMessage.ParseError.self) {
            try unsafe DiscoMessage(reversed.span.bytes)
        }
    }

    @Test("answers nobody asked for open no socket")
    func unasked() {
        let mesh = HardPair(4, [.hard, .udpBlocked]).mesh
        let own = Endpoint(address("203.0.113.2"), port: 4_000)
        send(.callMeMaybe([own]), mesh)
        mesh.run(for: .milliseconds(50))
        for attempt: UInt32 in 1...100 {
            for phase: HardNATMessage.Phase in [.accept, .decline, .done] {
                send(
                    .hardNAT(
                        HardNATMessage(
                            phase, attempt: attempt, mapping: .endpointIndependent,
                            endpoint: own)), mesh)
            }
            mesh.run(for: .milliseconds(100))
        }
        #expect(mesh.nodes[0].openSocketsMost <= HardNATTiming.samples)
    }

    @Test("a peer that accepts and never probes costs one attempt, then longer and longer pauses")
    func idler() {
        let pair = HardPair(5, [.hard, .easy])
        pair.mesh.nodes[1].paths.setHardNAT(isEnabled: true)
        // Its NAT loses every probe, so nothing is ever found.
        pair.mesh.network.cut(pair.mesh.nodes[0].host, pair.mesh.nodes[1].host)
        pair.mesh.exchange(0, 1, every: .seconds(1), for: .minutes(20))
        #expect(!pair.isDirect)
        let sent = pair.mesh.nodes[0].paths.counters.pingsSent
        // At most one attempt in 2, 4, 8 minutes, beside the usual rounds.
        #expect(sent <= 4 * HardNATTiming.mappingsMax + 2_000, "\(sent) pings")
        #expect(pair.mesh.nodes[0].openSockets.isEmpty)
        guard case .failed(let attempts) = pair.obstacle(of: 0) else {
            Issue.record("no reason: \(String(describing: pair.obstacle(of: 0)))")
            return
        }
        #expect((2...5).contains(attempts))
    }

    @Test("what comes for a socket that is closed is nobody's")
    func late() {
        var pair = HardPair(16, [.easy, .hard])
        #expect(pair.connect() != nil)
        let mesh = pair.mesh
        mesh.exchange(0, 1, every: .milliseconds(500), for: .seconds(15))
        let open = Set(mesh.nodes[1].openSockets.values.map(\.number))
        let from = Endpoint(address("203.0.113.1"), port: SimulatedNode.port)
        for number: UInt32 in 1...500 where !open.contains(number) {
            let ping = DiscoMessage.ping(
                PingID(high: number, low: 1), nodeKey: mesh.nodes[0].nodeKey)
            unsafe mesh.nodes[1].paths.handleDiscoMessage(
                ping.encoded().span.bytes, sender: mesh.nodes[0].discoKey.publicKey,
                from: .direct(from), by: LocalSocket(number: number), at: mesh.now)
        }
        #expect(mesh.nodes[1].paths.hardNAT.bindings.count == 1)
        #expect(mesh.nodes[1].paths.hardNAT.hits.isEmpty)
    }

    @Test("an official peer is offered the ports that can be foreseen, and pings them")
    func official() {
        var direct = 0
        for seed: UInt64 in 1...20 {
            for kind in [NATKind.symmetricSequential, .symmetricBlocks] {
                let pair = HardPair(seed, [kind.behavior ?? .hard, .easy])
                pair.mesh.officials[1] = OfficialPeer(1, peer: 0, in: pair.mesh)
                pair.mesh.exchange(0, 1, every: .milliseconds(100), for: .seconds(20))
                if pair.mesh.isDirect(0, 1) { direct += 1 }
            }
        }
        print("official peers reached:", direct, "of 40")
        #expect(direct >= 34)
    }

    @Test("an official peer that cannot be helped gets a handful of messages, ever more seldom")
    func officialHopeless() {
        let pair = HardPair(7, [.hard, .easy])
        pair.mesh.officials[1] = OfficialPeer(1, peer: 0, in: pair.mesh)
        pair.mesh.exchange(0, 1, every: .milliseconds(500), for: .minutes(10))
        #expect(pair.obstacle(of: 0) == .peerDoesNotHelp)
        #expect(pair.mesh.nodes[0].openSocketsMost <= HardNATTiming.samples)
    }

    @Test("after a change of network all sockets are closed, and the pair meets anew")
    func roaming() {
        var pair = HardPair(8, [.easy, .hard])
        #expect(pair.connect() != nil)
        let mesh = pair.mesh
        mesh.network.restart(pair.routers[1], outside: [address("203.0.113.77")])
        mesh.nodes[1].paths.handleLinkChange(at: mesh.now)
        mesh.nodes[1].report.handleLinkChange(at: mesh.now)
        mesh.drain(1)
        #expect(mesh.nodes[1].openSockets.isEmpty)
        mesh.run(for: .seconds(1))
        let time = pair.connect(limit: .seconds(20))
        #expect(time != nil)
    }
}
