import CryptoPrimitives
import NetTypes
import Testing

@testable import WireGuard

/// Whole conversations on a bad network: whatever the seed, packets arrive unchanged and at most
/// once, and a network that recovers carries traffic again.
@Suite("WireGuard on a bad network")
struct SimulationTests {
    @Test(arguments: 1...25)
    func packetsArriveAtMostOnceAndTrafficRecovers(seed: UInt64) throws {
        let (network, a, b) = try Network.pair(seed: seed)
        network.lost = 200
        network.duplicated = 200
        network.jitter = .milliseconds(200)
        var random = SeededRandom(seed: seed)
        var sentByA: [[UInt8]] = []
        var sentByB: [[UInt8]] = []
        for number in 0..<400 {
            var payload = packet(from: a.address, to: b.address, mark: 0, count: 60)
            payload.replaceSubrange(28..<30, with: [UInt8(number >> 8), UInt8(number & 0xFF)])
            if random.next() & 1 == 0 {
                sentByA.append(payload)
                network.send(a, payload, to: .v4(b.address))
            } else {
                payload.replaceSubrange(12..<16, with: payload[16..<20])
                payload.replaceSubrange(16..<20, with: sourceBytes(of: a))
                sentByB.append(payload)
                network.send(b, payload, to: .v4(a.address))
            }
            // Bursts, pauses, and now and then silence long enough for every timer.
            let pause: Int64 =
                switch random.next() % 100 {
                case 0: 200_000
                case 1: 20_000
                case 2..<10: 4_000
                default: Int64(random.next() % 300)
                }
            network.run(for: .milliseconds(pause))
        }
        for (host, sent) in [(b, sentByA), (a, sentByB)] {
            let received = host.received
            #expect(Set(received).count == received.count, "seed \(seed): repeated")
            #expect(Set(received).isSubset(of: Set(sent)), "seed \(seed): changed")
            #expect(received.count * 2 > sent.count, "seed \(seed): \(received.count)")
        }
        network.lost = 0
        network.run(for: .seconds(30))
        let before = (a.received.count, b.received.count)
        for _ in 0..<3 {
            network.send(a, to: b, mark: 0xFF, count: 40)
            network.send(b, to: a, mark: 0xFF, count: 40)
            network.run(for: .seconds(7))
        }
        #expect(a.received.count == before.0 + 3, "seed \(seed)")
        #expect(b.received.count == before.1 + 3, "seed \(seed)")
        let live = (a.device.sessions.count, a.device.indices.count)
        #expect(live.0 <= 3 && live.1 <= 4, "seed \(seed): sessions pile up")
    }

    @Test func theSameSeedGivesTheSameRun() throws {
        func run() throws -> [[UInt8]] {
            let (network, a, b) = try Network.pair(seed: 7)
            network.lost = 300
            network.jitter = .milliseconds(50)
            for mark in UInt8(0)..<60 {
                network.send(a, to: b, mark: mark)
                network.run(for: .seconds(3))
            }
            return a.sent.map(\.bytes) + b.sent.map(\.bytes)
        }
        let (one, other) = (try run(), try run())
        #expect(one == other)
    }

    @Test func manyPeersShareOneDevice() throws {
        let network = Network(seed: 3)
        let hub = network.addHost()
        var spokes: [Host] = []
        for _ in 0..<100 {
            let spoke = network.addHost()
            try network.connect(hub, spoke)
            spokes.append(spoke)
        }
        for spoke in spokes {
            network.send(spoke, to: hub, mark: 1)
            network.send(hub, to: spoke, mark: 2)
        }
        network.run(for: .seconds(3))
        #expect(hub.received.count == 100)
        #expect(spokes.allSatisfy { $0.received.count == 1 })
        for spoke in spokes.prefix(50) { hub.device.removePeer(spoke.key.publicKey) }
        let (peers, sessions) = (hub.device.peers.count, hub.device.sessions.count)
        #expect(peers == 50 && sessions >= 50 && sessions <= 100)
        network.run(for: .seconds(600))
        let left = (hub.device.sessions.count, hub.device.indices.count)
        #expect(left == (0, 0))
    }

    private func sourceBytes(of host: Host) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.appendBigEndian(host.address.bits)
        return bytes
    }
}
