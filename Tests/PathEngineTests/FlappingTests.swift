import CryptoPrimitives
import Disco
import NetTypes
import PathEngine
import SimulatedMesh
import SimulatedNetwork
import Testing

/// One engine and a peer with two addresses, whose round trips follow a script.
private struct TwoPaths: ~Copyable {
    var engine: PathEngine<SeededRandom>
    let peerNode = privateKey(3, NodeKind.self).publicKey
    let box: DiscoBox
    var random: SeededRandom
    var now = MonotonicInstant(nanoseconds: 0) + .minutes(60)
    let start = MonotonicInstant(nanoseconds: 0) + .minutes(60)
    static let endpoints = [Endpoint("203.0.113.5:5000")!, Endpoint("203.0.113.6:5000")!]
    private var pending: [(at: MonotonicInstant, bytes: [UInt8], endpoint: Endpoint)] = []
    var changes: [Endpoint?] = []
    var pings = 0

    init(seed: UInt64) {
        let own = privateKey(1, DiscoKind.self)
        let peer = privateKey(2, DiscoKind.self)
        random = SeededRandom(seed: seed)
        engine = PathEngine(
            nodeKey: privateKey(9, NodeKind.self).publicKey, discoKey: own,
            random: SeededRandom(seed: seed ^ 5))
        box = DiscoBox(own: peer, peer: own.publicKey)!
        engine.upsertPeer(
            PathPeer(
                nodeKey: peerNode, discoKey: peer.publicKey, homeRelay: 1,
                endpoints: Self.endpoints), index: 0, at: now)
    }

    /// Data every 100 ms, answered on the path in use; `roundTrip` of each path at a moment.
    mutating func run(
        for duration: Nanoseconds,
        roundTrip: (_ path: Int, _ since: Nanoseconds, inout SeededRandom) -> Nanoseconds
    ) {
        let end = now + duration
        while now < end {
            now = now + .milliseconds(5)
            while let index = pending.firstIndex(where: { $0.at <= now }) {
                let arrival = pending.remove(at: index)
                let bytes = arrival.bytes
                engine.handleDisco(bytes.span.bytes, from: .direct(arrival.endpoint), at: now)
            }
            if (now - start).count % 100_000_000 == 0 {
                let route = engine.route(for: 0, byteCount: 100, at: now)
                if let direct = route.direct {
                    engine.noteReceived(from: 0, source: .direct(direct), at: now)
                }
            }
            engine.handleTimeout(at: now)
            while let transmit = engine.pollTransmit() {
                guard case .udp(let endpoint) = transmit.destination,
                    let path = Self.endpoints.firstIndex(of: endpoint),
                    let envelope = DiscoEnvelope(transmit.bytes.span.bytes),
                    let plaintext = box.open(envelope),
                    // What we cannot read is no ping.
                    case .ping(let id, _) = try? DiscoMessage(plaintext.span.bytes)
                else { continue }
                pings += 1
                let pong = DiscoMessage.pong(id, source: endpoint).encoded()
                pending.append(
                    (
                        now + roundTrip(path, now - start, &random),
                        box.seal(pong.span.bytes, random: &random), endpoint
                    ))
            }
            while let event = engine.pollEvent() {
                if case .pathChanged(_, let direct) = event { changes.append(direct) }
            }
        }
    }
}

@Suite("no flapping")
struct FlappingTests {
    @Test(
        "of two paths whose round trips alternate, neither is left more than now and then",
        arguments: [Int64(7), 20, 60, 200])
    func alternating(seconds: Int64) {
        for seed: UInt64 in 1...3 {
            var bench = TwoPaths(seed: seed)
            bench.run(for: .minutes(30)) { path, since, _ in
                let isSecondBetter = since.count / 1_000_000_000 / seconds % 2 == 1
                return .milliseconds((path == 1) == isSecondBetter ? 20 : 60)
            }
            let count = bench.changes.count
            // Three at once and then one in two minutes at the most.
            #expect(count <= 18, "seed \(seed): \(count) changes")
            let isDirect = bench.changes.allSatisfy { $0 != nil }
            #expect(isDirect, "seed \(seed)")
        }
    }

    @Test("two paths that jitter alike: the first that serves stays")
    func jitter() {
        for seed: UInt64 in 1...5 {
            var bench = TwoPaths(seed: seed)
            bench.run(for: .minutes(30)) { _, _, random in
                .milliseconds(20 + Int64(random.below(15)))
            }
            let count = bench.changes.count
            #expect((1...4).contains(count), "seed \(seed): \(count) changes")
        }
    }

    @Test("a path that becomes better for good takes over")
    func better() {
        var bench = TwoPaths(seed: 1)
        bench.run(for: .minutes(5)) { path, since, _ in
            .milliseconds(path == 0 ? 50 : since < .minutes(2) ? 80 : 10)
        }
        let last = bench.changes.last
        #expect(last == TwoPaths.endpoints[1])
    }
}
