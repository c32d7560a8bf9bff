import CryptoPrimitives
import Disco
import NetTypes
import PathEngine
import SimulatedMesh
import SimulatedNetwork
import Testing

@Suite("whatever happens to the engine")
struct RandomScriptTests {
    private let endpoints = (1...6).map {
        Endpoint(.v4(IPv4Address(203, 0, 113, UInt8($0))), port: 41_641)
    }

    /// A message a peer might send; pongs answer one of `pings`.
    private func message(_ pings: [PingID], _ random: inout SeededRandom) -> DiscoMessage {
        let id = PingID(random: &random)
        switch random.below(4) {
        case 0: return .ping(id, nodeKey: nil)
        case 1:
            let known = pings.isEmpty ? id : pings[random.below(pings.count)]
            return .pong(known, source: endpoints[random.below(6)])
        case 2: return .callMeMaybe((0..<random.below(5)).map { _ in endpoints[random.below(6)] })
        default: return .ping(id, nodeKey: nodeKey(random.below(3)))
        }
    }

    private func nodeKey(_ number: Int) -> NodeKey {
        NodeKey(Bytes32(Array(repeating: UInt8(number + 1), count: 32)))
    }

    @Test("deadlines move on, routes make sense and silence follows, in 40 random lives")
    func lives() {
        let own = privateKey(1, DiscoKind.self)
        let discos = (0..<3).map { privateKey(UInt64(10 + $0), DiscoKind.self).publicKey }
        for seed: UInt64 in 1...40 {
            var random = SeededRandom(seed: seed)
            var engine = PathEngine(
                nodeKey: nodeKey(9), discoKey: own, random: SeededRandom(seed: seed ^ 77))
            var now = MonotonicInstant(nanoseconds: 0) + .minutes(60)
            for _ in 0..<300 {
                let peer = random.below(3)
                let source: PacketSource =
                    random.chance(0.5)
                    ? .direct(endpoints[random.below(6)])
                    : .relay(region: 1 + random.below(2), node: nodeKey(peer))
                switch random.below(12) {
                case 0:
                    engine.upsertPeer(
                        PathPeer(
                            nodeKey: nodeKey(peer),
                            discoKey: random.chance(0.1) ? .zero : discos[random.below(3)],
                            homeRelay: random.chance(0.8) ? 1 : nil,
                            endpoints: [endpoints[random.below(6)]]), index: peer, at: now)
                case 1 where random.chance(0.2): engine.removePeer(index: peer)
                case 2 where random.chance(0.2): engine.handleLinkChange(at: now)
                case 3: engine.noteReceived(from: peer, source: source, at: now)
                case 4: engine.startPing(id: 1, peer: peer, scope: .all, at: now)
                case 5:
                    engine.setReflexiveEndpoints(
                        [endpoints[random.below(6)]], mappingVaries: random.chance(0.5), at: now)
                case 6: engine.noteUnreachable(endpoints[random.below(6)], peer: peer, at: now)
                case 7, 8:
                    let plaintext = message([], &random).encoded()
                    engine.handleDiscoMessage(
                        plaintext.span.bytes, sender: discos[random.below(3)], from: source,
                        at: now)
                default:
                    let before = engine.currentRoute(for: peer, at: now)
                    let route = engine.route(for: peer, at: now)
                    #expect(route == before, "seed \(seed)")
                }
                now = now + .microseconds(Int64(random.below(2_000_000)))
                check(&engine, now, "seed \(seed)")
            }
            let quietFrom = now
            while let due = engine.nextDeadline, due - quietFrom < .minutes(2) {
                now = max(now, due)
                check(&engine, now, "seed \(seed)")
            }
            let rest = engine.nextDeadline
            #expect(rest == nil, "seed \(seed): an idle engine still has something to do")
        }
    }

    private func check(
        _ engine: inout PathEngine<SeededRandom>, _ now: MonotonicInstant, _ name: Comment
    ) {
        engine.handleTimeout(at: now)
        var sent = 0
        while engine.pollTransmit() != nil { sent += 1 }
        while engine.pollEvent() != nil {}
        let next = engine.nextDeadline
        #expect(sent <= 400, name)
        #expect(next.map { $0 > now } ?? true, name)
    }
}
