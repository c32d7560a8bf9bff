import NetTypes
import SimulatedMesh
import SimulatedNetwork
import Testing

@testable import PathEngine

/// What docs/hard-nats.md promises, in searches that find nothing and so last longest.
@Suite("bounds of the search through hard NATs")
struct HardNATBoundsTests {
    /// A node behind a hard NAT and others behind easy ones, none of which hears it.
    private func cutMesh(_ kinds: [NATKind], seed: UInt64) -> Mesh {
        let mesh = Mesh(seed: seed, kinds)
        mesh.start()
        mesh.run(for: .seconds(3))
        for other in kinds.indices.dropFirst() {
            mesh.network.cut(mesh.nodes[0].host, mesh.nodes[other].host)
        }
        mesh.network.isTracing = true
        return mesh
    }

    /// When node 0 first sent from a socket of a search to some remote: a mapping each.
    private func newMappings(_ mesh: Mesh) -> [MonotonicInstant] {
        var seen: Set<[Endpoint]> = []
        return mesh.network.trace.filter {
            $0.what == .sent && $0.sender == mesh.nodes[0].host
                && $0.from.port != SimulatedNode.port && seen.insert([$0.from, $0.to]).inserted
        }.map(\.at)
    }

    /// The most of `times` that lie within one `window`.
    private func most(of times: [MonotonicInstant], in window: Nanoseconds) -> Int {
        var first = 0
        return times.indices.reduce(0) { most, last in
            while times[last] - times[first] >= window { first += 1 }
            return max(most, last - first + 1)
        }
    }

    @Test("an attempt keeps to its rate, its sockets and its time on both sides")
    func attempt() {
        let mesh = cutMesh([.hard, .easy], seed: 11)
        mesh.exchange(0, 1, every: .milliseconds(100), for: .seconds(40))
        let opened = newMappings(mesh)
        #expect(mesh.nodes[0].openSocketsMost <= HardNATTiming.randomSockets)
        #expect(opened.count <= HardNATTiming.mappingsMax)
        #expect(most(of: opened, in: .seconds(1)) <= 204)
        let probes = mesh.network.trace.filter {
            $0.what == .sent && $0.sender == mesh.nodes[1].host
                && $0.to.address == address("203.0.113.1")
        }.map(\.at)
        // Beside those of the search: the pings of ordinary rounds to the two endpoints there.
        #expect(probes.count <= HardNATTiming.probesMax + 120)
        #expect(most(of: probes, in: .seconds(1)) <= 204 + 8)
        if let first = opened.first, let last = opened.last {
            #expect(last - first <= .seconds(8))
        }
        #expect(mesh.nodes[0].openSockets.isEmpty, "all are closed when it is over")
    }

    @Test("many peers share one bound on mappings, and one attempt runs at a time")
    func manyPeers() {
        let mesh = cutMesh([.hard] + [NATKind](repeating: .easy, count: 6), seed: 12)
        mesh.every(.milliseconds(500), for: .minutes(12)) { mesh in
            for other in 1...6 { mesh.sendData(from: 0, to: other) }
        }
        mesh.run(for: .minutes(12))
        let opened = newMappings(mesh)
        #expect(opened.count > HardNATTiming.mappingsMax, "later attempts follow")
        #expect(most(of: opened, in: .minutes(2)) <= HardNATTiming.mappingsMax)
        #expect(most(of: opened, in: .seconds(1)) <= 204)
        #expect(mesh.nodes[0].openSocketsMost <= HardNATTiming.randomSockets)
    }

    @Test("the pauses after attempts in vain double, to an hour at most")
    func backOff() {
        let mesh = cutMesh([.hard, .easy], seed: 13)
        mesh.every(.seconds(1), for: .minutes(40)) { $0.sendData(from: 0, to: 1) }
        mesh.run(for: .minutes(40))
        // Searches begin after a pause.
        var starts: [MonotonicInstant] = []
        var last = MonotonicInstant.never
        for at in newMappings(mesh) {
            if at - last > .seconds(30) { starts.append(at) }
            last = at
        }
        let gaps = zip(starts, starts.dropFirst()).map { $1 - $0 }
        #expect(gaps.count == 4)
        for (gap, minutes) in zip(gaps, [2, 4, 8, 16] as [Int64]) {
            // An attempt takes some ten seconds; the next one waits for a round of discovery.
            #expect(gap >= .minutes(minutes) && gap <= .minutes(minutes) + .seconds(45))
        }
        #expect(HardNATTiming.backOff(after: 7) == .minutes(60))
        #expect(HardNATTiming.backOff(after: 1_000) == .minutes(60))
    }

    @Test("probes are drawn without repetition and meet mappings as often as the sum says")
    func draws() {
        // 1 − (1 − 500/64,512)^640: 0.69 % of attempts find nothing, 28 of 4,000 with σ = 5.2.
        var random = SeededRandom(seed: 14)
        var misses = 0
        for _ in 0..<4_000 {
            var mapped: Set<UInt16> = []
            while mapped.count < HardNATTiming.randomSockets {
                mapped.insert(UInt16.random(in: HardNATTiming.ports, using: &random))
            }
            var attempt = ProbingAttempt(
                peer: 0, id: 0, address: address("203.0.113.1"), ports: HardNATTiming.ports,
                limit: HardNATTiming.probesMax, at: .never)
            var probed: Set<UInt16> = []
            for _ in 0..<HardNATTiming.probesMax {
                probed.insert(attempt.nextPort(random: &random))
            }
            #expect(probed.count == HardNATTiming.probesMax)
            if mapped.isDisjoint(with: probed) { misses += 1 }
        }
        #expect((12...44).contains(misses), "\(misses) of 4,000")
    }
}
