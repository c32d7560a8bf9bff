import CryptoPrimitives
import Disco
import NetTypes
import PathEngine
import SimulatedMesh
import SimulatedNetwork
import Testing

/// One engine and the keys to speak to it as a peer.
private struct Bench: ~Copyable {
    var engine: PathEngine<SeededRandom>
    let peer = privateKey(2, DiscoKind.self)
    let peerNode = privateKey(3, NodeKind.self).publicKey
    let box: DiscoBox
    var random = SeededRandom(seed: 4)
    var now = MonotonicInstant(nanoseconds: 0) + .minutes(60)
    static let source = Endpoint("203.0.113.5:5000")!

    init() {
        let own = privateKey(1, DiscoKind.self)
        engine = PathEngine(
            nodeKey: privateKey(9, NodeKind.self).publicKey, discoKey: own,
            random: SeededRandom(seed: 5))
        box = DiscoBox(own: peer, peer: own.publicKey)!
        engine.upsertPeer(
            PathPeer(nodeKey: peerNode, discoKey: peer.publicKey, homeRelay: 1, endpoints: []),
            index: 0, at: now)
    }

    mutating func receive(_ message: DiscoMessage, from source: PacketSource) -> PathDropReason? {
        let datagram = box.seal(message.encoded().span.bytes, random: &random)
        return engine.handleDisco(datagram.span.bytes, from: source, at: now)
    }

    mutating func drain() -> [(destination: PathDestination, message: DiscoMessage)] {
        var result: [(PathDestination, DiscoMessage)] = []
        while let transmit = engine.pollTransmit() {
            guard let envelope = DiscoEnvelope(transmit.bytes.span.bytes),
                let plaintext = box.open(envelope),
                let message = try? DiscoMessage(plaintext.span.bytes)
            else {
                Issue.record("an unreadable message")
                continue
            }
            result.append((transmit.destination, message))
        }
        return result
    }
}

@Suite("what the engine believes")
struct BeliefTests {
    private let id = PingID(high: 1, low: 2)

    @Test("a ping from a new address is answered and pinged back at once")
    func triggeredCheck() {
        var bench = Bench()
        _ = bench.engine.route(for: 0, at: bench.now)
        bench.engine.handleTimeout(at: bench.now)
        _ = bench.drain()
        let reason = bench.receive(
            .ping(id, nodeKey: bench.peerNode), from: .direct(Bench.source))
        let sent = bench.drain()
        #expect(reason == nil)
        #expect(sent.count == 2)
        #expect(sent[0].message == .pong(id, source: Bench.source))
        #expect(sent.allSatisfy { $0.destination == .udp(Bench.source) })
        guard case .ping(let ping, _) = sent[1].message else {
            Issue.record("no ping back")
            return
        }
        bench.now = bench.now + .milliseconds(20)
        let pong = bench.receive(
            .pong(ping, source: Bench.source), from: .direct(Bench.source))
        let route = bench.engine.route(for: 0, at: bench.now)
        #expect(pong == nil)
        #expect(route == PathRoute(direct: Bench.source, relayRegion: nil))
        let twice = bench.receive(
            .pong(ping, source: Bench.source), from: .direct(Bench.source))
        #expect(twice == .unknownPing)
    }

    @Test("what strangers send, replay, damage or send by the wrong way changes nothing")
    func rejected() {
        var bench = Bench()
        let other = privateKey(7, NodeKind.self).publicKey
        let direct = PacketSource.direct(Bench.source)
        let relayed = PacketSource.relay(region: 2, node: other)
        let endpoints = DiscoMessage.callMeMaybe([Bench.source])
        let byWrongWay = bench.receive(endpoints, from: direct)
        let byWrongNode = bench.receive(endpoints, from: relayed)
        let namingAnother = bench.receive(.ping(id, nodeKey: other), from: direct)
        let unasked = bench.receive(.pong(id, source: Bench.source), from: direct)
        let forRelays = bench.receive(
            .bindRelay(
                DiscoMessage.RelayBinding(
                    virtualNetwork: 1, generation: 1, remote: bench.peer.publicKey,
                    challenge: Bytes32())), from: direct)
        let relayByWrongWay = bench.receive(
            .allocateRelayRequest(clients: [bench.peer.publicKey, .zero], generation: 1),
            from: direct)
        let stranger = DiscoBox(own: privateKey(8, DiscoKind.self), peer: bench.peer.publicKey)!
        let unknown = bench.engine.handleDisco(
            stranger.seal(([1, 0] as [UInt8]).span.bytes, random: &bench.random).span.bytes,
            from: direct,
            at: bench.now)
        var damaged = bench.box.seal(([1, 0, 1] as [UInt8]).span.bytes, random: &bench.random)
        damaged[70] ^= 1
        let forged = bench.engine.handleDisco(damaged.span.bytes, from: direct, at: bench.now)
        let noise = bench.engine.handleDisco(
            ([1, 2, 3] as [UInt8]).span.bytes, from: direct, at: bench.now)
        let short = bench.engine.handleDisco(
            bench.box.seal(([1, 0, 9] as [UInt8]).span.bytes, random: &bench.random).span.bytes,
            from: direct,
            at: bench.now)
        #expect(byWrongWay == .wrongCarrier)
        #expect(byWrongNode == .senderMismatch)
        #expect(namingAnother == .senderMismatch)
        #expect(unasked == .unknownPing)
        #expect(forRelays == .ignoredType)
        #expect(relayByWrongWay == .wrongCarrier)
        #expect(unknown == .unknownSender)
        #expect(forged == .notAuthentic)
        #expect(noise == .notDisco)
        #expect(short == .malformed)
        let sent = bench.drain()
        #expect(sent.isEmpty)
        let candidates = bench.engine.status(of: 0, at: bench.now)?.candidates
        #expect(candidates == [])
        let counters = bench.engine.counters
        #expect(counters.dropped.values.reduce(0, +) == 10)
    }

    @Test("a pong that comes by relay for a ping by UDP proves nothing")
    func relayedPong() {
        var bench = Bench()
        _ = bench.engine.route(for: 0, at: bench.now)
        bench.engine.handleTimeout(at: bench.now)
        _ = bench.receive(.ping(id, nodeKey: bench.peerNode), from: .direct(Bench.source))
        let pings = bench.drain().compactMap { sent -> PingID? in
            if case .ping(let ping, _) = sent.message { ping } else { nil }
        }
        for ping in pings {
            let reason = bench.receive(
                .pong(ping, source: Bench.source), from: .relay(region: 1, node: bench.peerNode))
            #expect(reason == .wrongCarrier)
        }
        #expect(!pings.isEmpty)
        let route = bench.engine.route(for: 0, at: bench.now)
        #expect(route == PathRoute(direct: nil, relayRegion: 1))
    }

    @Test("a ping by relay is answered by relay, and its region used when no home is known")
    func relayedPing() {
        var bench = Bench()
        bench.engine.upsertPeer(
            PathPeer(
                nodeKey: bench.peerNode, discoKey: bench.peer.publicKey, homeRelay: nil,
                endpoints: []), index: 0, at: bench.now)
        let before = bench.engine.route(for: 0, at: bench.now)
        _ = bench.receive(
            .ping(id, nodeKey: bench.peerNode), from: .relay(region: 7, node: bench.peerNode))
        let sent = bench.drain()
        let after = bench.engine.route(for: 0, at: bench.now)
        bench.engine.noteRelayPeerGone(bench.peerNode, region: 7)
        let gone = bench.engine.route(for: 0, at: bench.now)
        #expect(before.isUnreachable)
        #expect(sent.map(\.destination) == [.relay(region: 7, to: bench.peerNode)])
        #expect(after == PathRoute(direct: nil, relayRegion: 7))
        #expect(gone.isUnreachable)
    }

    @Test("a peer whose home says it is not there is sought where it last spoke, until home has it")
    func goneFromHome() {
        var bench = Bench()
        func relayRegion(_ bench: inout Bench) -> Int? {
            bench.engine.route(for: 0, at: bench.now).relayRegion
        }
        bench.engine.noteReceived(
            from: 0, source: .relay(region: 5, node: bench.peerNode), at: bench.now)
        let home = relayRegion(&bench)
        bench.engine.noteRelayPeerGone(bench.peerNode, region: 1)
        let other = relayRegion(&bench)
        bench.engine.noteRelayPeerGone(bench.peerNode, region: 5)
        let nowhereElse = relayRegion(&bench)
        bench.engine.noteReceived(
            from: 0, source: .relay(region: 1, node: bench.peerNode), at: bench.now)
        bench.engine.noteReceived(
            from: 0, source: .relay(region: 5, node: bench.peerNode), at: bench.now)
        let back = relayRegion(&bench)
        #expect([home, other, nowhereElse, back] == [1, 5, 1, 1])
    }

    @Test("candidates, pings and queues stay within their bounds whatever a peer sends")
    func bounds() {
        var bench = Bench()
        var sent = 0
        for round in 0..<200 {
            let endpoints = (0..<120).map { number in
                Endpoint(
                    .v4(IPv4Address(203, 0, UInt8(round), UInt8(number + 1))), port: 1)
            }
            _ = bench.receive(
                .callMeMaybe(endpoints), from: .relay(region: 1, node: bench.peerNode))
            for number in 0..<20 {
                let source = Endpoint(
                    .v4(IPv4Address(198, 51, UInt8(round), UInt8(number))), port: 9)
                _ = bench.receive(.ping(id, nodeKey: nil), from: .direct(source))
            }
            bench.now = bench.now + .milliseconds(5)
            bench.engine.handleTimeout(at: bench.now)
            sent += bench.drain().count { if case .ping = $0.message { true } else { false } }
        }
        let candidates = bench.engine.status(of: 0, at: bench.now)?.candidates.count ?? 0
        #expect(candidates <= 100 && candidates >= 50)
        // A burst of 120 and 40 a second, for one second.
        #expect(sent <= 170)
        let counters = bench.engine.counters
        #expect((counters.dropped[.rateLimited] ?? 0) > 1_000)
        #expect(counters.transmitsDropped > 0)
    }

    @Test("addresses that are no peer's socket never become candidates")
    func filter() {
        var bench = Bench()
        let bad = [
            "0.0.0.0:5", "127.0.0.1:80", "224.0.0.1:5", "255.255.255.255:7", "192.0.2.1:0",
            "[fe80::1]:5", "[ff02::1]:5", "[::1]:5", "[::]:5",
        ].compactMap { Endpoint($0) }
        _ = bench.receive(
            .callMeMaybe(bad + [Bench.source]), from: .relay(region: 1, node: bench.peerNode))
        let candidates = bench.engine.status(of: 0, at: bench.now)?.candidates.map(\.endpoint)
        #expect(bad.count == 9)
        #expect(candidates == [Bench.source])
    }

    @Test("two nodes behind one disco key are told apart by the node key in the ping")
    func sharedDiscoKey() {
        var bench = Bench()
        let second = privateKey(11, NodeKind.self).publicKey
        bench.engine.upsertPeer(
            PathPeer(nodeKey: second, discoKey: bench.peer.publicKey, homeRelay: 1, endpoints: []),
            index: 1, at: bench.now)
        let named = bench.receive(.ping(id, nodeKey: second), from: .direct(Bench.source))
        let unnamed = bench.receive(.ping(id, nodeKey: nil), from: .direct(Bench.source))
        #expect(named == nil)
        #expect(unnamed == .senderMismatch)
        let first = bench.engine.status(of: 0, at: bench.now)?.candidates.count
        let other = bench.engine.status(of: 1, at: bench.now)?.candidates.count
        #expect(first == 0 && other == 1)
        bench.engine.removePeer(index: 1)
        let now = bench.receive(.ping(id, nodeKey: nil), from: .direct(Bench.source))
        #expect(now == nil)
    }

    @Test("a peer without disco key is reached by relay and never pinged")
    func noDiscoKey() {
        var bench = Bench()
        bench.engine.upsertPeer(
            PathPeer(
                nodeKey: bench.peerNode, discoKey: .zero, homeRelay: 3,
                endpoints: [Bench.source]), index: 0, at: bench.now)
        let route = bench.engine.route(for: 0, at: bench.now)
        bench.engine.handleTimeout(at: bench.now)
        let transmit = bench.engine.pollTransmit()
        #expect(route == PathRoute(direct: nil, relayRegion: 3))
        #expect(transmit == nil)
    }

    @Test("an unreachable path is given up at once, and a removed peer is gone")
    func unreachable() {
        var bench = Bench()
        _ = bench.receive(.ping(id, nodeKey: bench.peerNode), from: .direct(Bench.source))
        for case .ping(let ping, _) in bench.drain().map(\.message) {
            _ = bench.receive(.pong(ping, source: Bench.source), from: .direct(Bench.source))
        }
        let direct = bench.engine.route(for: 0, at: bench.now)
        bench.engine.noteUnreachable(Bench.source, peer: 0, at: bench.now)
        let relayed = bench.engine.route(for: 0, at: bench.now)
        bench.engine.removePeer(index: 0)
        let removed = bench.engine.route(for: 0, at: bench.now)
        #expect(direct.direct == Bench.source)
        #expect(relayed == PathRoute(direct: nil, relayRegion: 1))
        #expect(removed.isUnreachable)
    }

    @Test("own endpoints: reflexive first, a guess behind a hard NAT, an event for each change")
    func ownEndpoints() {
        var bench = Bench()
        let local = Endpoint("192.168.1.2:41641")!
        let reflexive = Endpoint("203.0.113.1:5555")!
        bench.engine.setLocalEndpoints([local, Endpoint("[fe80::1]:41641")!], at: bench.now)
        bench.engine.setReflexiveEndpoints([reflexive], mappingVaries: true, at: bench.now)
        bench.engine.setReflexiveEndpoints([reflexive], mappingVaries: true, at: bench.now)
        var events: [PathEvent] = []
        while let event = bench.engine.pollEvent() { events.append(event) }
        #expect(
            events == [
                .ownEndpointsChanged([OwnEndpoint(local, .local)]),
                .ownEndpointsChanged([
                    OwnEndpoint(reflexive, .reflexive),
                    OwnEndpoint(
                        Endpoint("203.0.113.1:41641")!, .reflexiveAddressLocalPort),
                    OwnEndpoint(local, .local),
                ]),
            ])
    }
}
