import NetTypes
import PathEngine
import SimulatedMesh
import SimulatedNetwork
import Testing

/// What flows between the two nodes while the path is cut.
private enum Flow: CaseIterable, CustomStringConvertible {
    /// Each packet is answered.
    case answered
    /// Node 0 sends and gets nothing back.
    case oneWay
    /// Both send of their own accord, as in a call.
    case independent

    var description: String {
        switch self {
        case .answered: "answered"
        case .oneWay: "one way"
        case .independent: "independent"
        }
    }
}

/// A flow of a packet each 20 ms between two connected nodes, cut after a while.
private struct Experiment {
    let mesh: Mesh
    let flow: Flow
    static let seeds: UInt64 = 50

    init(_ seed: UInt64, _ flow: Flow, _ places: [NATKind] = [.easy, .easy], loss: Double = 0) {
        mesh = Mesh(seed: seed, places, loss: loss)
        self.flow = flow
        mesh.answersData = flow == .answered
        mesh.start()
        mesh.run(for: .seconds(1))
        run(.seconds(3))
    }

    /// Node 0's packets are as large as the tunnel makes them.
    func useLargePackets() {
        mesh.dataByteCount = 1_312
        if flow == .answered { mesh.answerByteCount = 1_312 }
    }

    /// They are as large as the path of the tunnel is said to allow, as hosts make them that have been
    /// told so.
    var followsMTU = false

    private func followMTU() {
        let largest = mesh.nodes.indices.map {
            min(mesh.nodes[$0].paths.innerMTU(of: 1 - $0) ?? 1_280, 1_280) + 32
        }
        mesh.dataByteCount = largest[0]
        if flow == .answered { mesh.answerByteCount = largest[1] }
    }

    func run(_ duration: Nanoseconds) {
        let end = mesh.now + duration
        while mesh.now < end {
            if followsMTU { followMTU() }
            mesh.sendData(from: 0, to: 1)
            if flow == .independent {
                let size = mesh.dataByteCount
                mesh.dataByteCount = 52
                mesh.sendData(from: 1, to: 0)
                mesh.dataByteCount = size
            }
            mesh.run(for: .milliseconds(20))
        }
    }

    /// The longest time without a packet on a side that gets any, during `duration`.
    func longestSilence(for duration: Nanoseconds) -> Nanoseconds {
        for node in mesh.nodes { node.longestSilence = [:] }
        run(duration)
        let ours = flow == .oneWay ? .zero : mesh.nodes[0].longestSilence[1] ?? .minutes(1)
        return max(ours, mesh.nodes[1].longestSilence[0] ?? .minutes(1))
    }
}

@Suite("how long a dead path is believed")
struct CutTests {
    @Test(
        "whatever is cut and whatever flows, packets arrive again within half a second",
        arguments: Flow.allCases, Cut.allCases)
    fileprivate func cut(flow: Flow, cut: Cut) {
        var silences: [(Nanoseconds, UInt64)] = []
        for seed in 1...Experiment.seeds {
            let experiment = Experiment(seed, flow)
            experiment.useLargePackets()
            experiment.run(.milliseconds(1_000 + Int64(seed * 7)))
            cut.make(in: experiment.mesh)
            silences.append((experiment.longestSilence(for: .seconds(6)), seed))
        }
        silences.sort { $0 < $1 }
        let median = silences[silences.count / 2].0
        let (late, seed) = silences[silences.count * 99 / 100 - 1]
        print(
            "\(flow), \(cut.rawValue): p50 \(median.inMilliseconds) ms, p99 \(late.inMilliseconds) ms"
        )
        #expect(late <= .milliseconds(500), "seed \(seed): \(late.inMilliseconds) ms")
    }

    @Test(
        "a host that sends smaller packets because large ones are lost loses no more of them",
        arguments: Flow.allCases, [Cut.large, .largeFromSender])
    fileprivate func cutWithMTU(flow: Flow, cut: Cut) {
        for seed: UInt64 in 1...20 {
            var experiment = Experiment(seed, flow)
            experiment.followsMTU = true
            experiment.run(.milliseconds(1_000 + Int64(seed * 7)))
            cut.make(in: experiment.mesh)
            experiment.run(.milliseconds(500))
            let silence = experiment.longestSilence(for: .seconds(6))
            #expect(silence <= .milliseconds(100), "seed \(seed): \(silence.inMilliseconds) ms")
            let inner = experiment.mesh.nodes[0].paths.innerMTU(of: 1) ?? 1_280
            #expect((900...968).contains(inner), "seed \(seed): \(inner)")
        }
    }

    @Test("in calm a flow costs few pings, whatever flows", arguments: Flow.allCases)
    fileprivate func calm(flow: Flow) {
        for (isLarge, limit) in [(false, flow == .answered ? 1.5 : 6), (true, 6.0)] {
            for seed: UInt64 in 1...10 {
                let experiment = Experiment(seed, flow)
                if isLarge { experiment.useLargePackets() }
                experiment.run(.seconds(5))
                let mesh = experiment.mesh
                let before = mesh.nodes.map { $0.paths.counters.pingsSent }
                let relayed = mesh.nodes.map { $0.relayedArrivals.values.reduce(0, +) }
                experiment.run(.seconds(20))
                for (index, node) in mesh.nodes.enumerated() {
                    let rate = Double(node.paths.counters.pingsSent - before[index]) / 20
                    print("\(flow) large \(isLarge) node \(index): \(rate) pings/s")
                    #expect(rate <= limit, "seed \(seed), \(node.name): \(rate) pings a second")
                    let copies = node.relayedArrivals.values.reduce(0, +) - relayed[index]
                    #expect(copies == 0, "seed \(seed), \(node.name): \(copies) by relay")
                }
            }
        }
    }
}
