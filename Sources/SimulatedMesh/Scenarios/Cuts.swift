import NetTypes
import SimulatedNetwork

/// What of a direct path is cut; the relay stays.
package enum Cut: String, CaseIterable, Sendable {
    case bothWays = "cut both ways"
    case fromSender = "cut from the sender"
    case toSender = "cut to the sender"
    case large = "large packets lost"
    case largeFromSender = "large packets from the sender lost"

    package func make(in mesh: Mesh) {
        let (one, other) = (mesh.nodes[0].host, mesh.nodes[1].host)
        switch self {
        case .bothWays: mesh.network.cut(one, other)
        case .fromSender: mesh.network.cut(from: one, to: other)
        case .toSender: mesh.network.cut(from: other, to: one)
        case .large:
            mesh.network.limitPayload(from: one, to: other, byteCount: 1_000)
            mesh.network.limitPayload(from: other, to: one, byteCount: 1_000)
        case .largeFromSender:
            mesh.network.limitPayload(from: one, to: other, byteCount: 1_000)
        }
    }
}

/// What flows between two nodes, a packet every 20 ms.
package enum Flow: String, CaseIterable, Sendable {
    /// The first sends large packets, each is answered by a small one.
    case answered
    /// The first sends, nothing comes back.
    case oneWay = "one-way stream"
    /// Both send of their own accord, as in a call.
    case call

    func send(in mesh: Mesh) {
        mesh.answersData = self == .answered
        mesh.dataByteCount = 1_312
        mesh.sendData(from: 0, to: 1)
        if self == .call { mesh.sendData(from: 1, to: 0) }
    }

    var receivers: [Int] { self == .oneWay ? [1] : [0, 1] }
}

extension Scenario {
    /// From a cut to flow: the longest time without a packet on either side that gets any.
    static var cuts: [Scenario] {
        let homes = Flow.allCases.flatMap { flow in
            [Cut.bothWays, .fromSender, .toSender, .large].map {
                cut(.portRestricted, .portRestricted, $0, flow)
            }
        }
        return homes + [
            cut(.open, .symmetric, .bothWays, .answered),
            cut(.carrier, .portRestricted, .bothWays, .answered),
            cut(.ipv6Only, .ipv6Only, .bothWays, .answered),
        ]
    }

    private static func cut(
        _ one: NATKind, _ other: NATKind, _ cut: Cut, _ flow: Flow
    ) -> Scenario {
        Scenario(
            name: "\(cut.rawValue), \(flow.rawValue) (\(one) – \(other))", unit: .milliseconds,
            goal: 500, percentile: 99, seedCount: 50
        ) { seed in
            guard let mesh = Mesh.connected(seed, one, other) else { return nil }
            for _ in 0..<50 {
                flow.send(in: mesh)
                mesh.run(for: .milliseconds(20))
            }
            cut.make(in: mesh)
            return mesh.longestSilence(on: flow.receivers, for: .seconds(6)) { flow.send(in: $0) }?
                .wholeMilliseconds
        }
    }
}
