import CryptoPrimitives
import NetTypes
import PathEngine
import SimulatedNetwork

/// The choice of a way for each packet, and taking note of each that came.
func pathBenchmarks() -> [Benchmark] {
    [
        choosing("path/send", otherPeers: 0), choosing("path/send/10000", otherPeers: 10_000),
        noting(),
    ]
}

private func choosing(_ name: String, otherPeers: Int) -> Benchmark {
    Benchmark(name) { _ in
        let pair = Pair(otherPeers: otherPeers)
        return { _ in
            let route = pair.near.route(for: 0, byteCount: 1_000, at: pair.now)
            precondition(route == PathRoute(direct: Pair.farEndpoint), "another way")
        }
    }
}

private func noting() -> Benchmark {
    Benchmark("path/receive") { _ in
        let pair = Pair()
        return { _ in
            pair.near.noteReceived(
                from: 0, source: .direct(Pair.farEndpoint), byteCount: 1_000, at: pair.now)
        }
    }
}

/// Two nodes with a direct path between them.
final class Pair {
    typealias Engine = PathEngine<SeededRandom>
    static let nearEndpoint = Endpoint(.v4(IPv4Address(192, 0, 2, 1)), port: 41_641)
    static let farEndpoint = Endpoint(.v4(IPv4Address(192, 0, 2, 2)), port: 41_641)

    var near: Engine
    var far: Engine
    private(set) var now = MonotonicInstant(nanoseconds: 1_000_000_000_000)

    init(otherPeers: Int = 0) {
        var random = SeededRandom(seed: 1)
        func secret() -> SecretBytes { SecretBytes(copying: random.bytes(count: 32).span.bytes) }
        let (nearDisco, farDisco) = (
            PrivateKey<DiscoKind>(secret()), PrivateKey<DiscoKind>(secret())
        )
        let (nearNode, farNode) = (PrivateKey<NodeKind>(secret()), PrivateKey<NodeKind>(secret()))
        near = Engine(
            nodeKey: nearNode.publicKey, discoKey: nearDisco, random: SeededRandom(seed: 2))
        far = Engine(nodeKey: farNode.publicKey, discoKey: farDisco, random: SeededRandom(seed: 3))
        near.upsertPeer(
            PathPeer(
                nodeKey: farNode.publicKey, discoKey: farDisco.publicKey, homeRelay: 1,
                endpoints: [Self.farEndpoint]), index: 0, at: now)
        far.upsertPeer(
            PathPeer(
                nodeKey: nearNode.publicKey, discoKey: nearDisco.publicKey, homeRelay: 1,
                endpoints: [Self.nearEndpoint]), index: 0, at: now)
        for number in 0..<otherPeers {
            near.upsertPeer(Self.stranger(number, &random), index: 1 + number, at: now)
        }
        for _ in 0..<3_000 where near.route(for: 0, at: now).relayRegion != nil { step() }
        precondition(near.route(for: 0, at: now).direct == Self.farEndpoint, "no direct path")
    }

    static func stranger(_ number: Int, _ random: inout SeededRandom) -> PathPeer {
        PathPeer(
            nodeKey: NodeKey(Bytes32(random.bytes(count: 32))),
            discoKey: DiscoKey(Bytes32(random.bytes(count: 32))), homeRelay: 1,
            endpoints: [
                Endpoint(.v4(IPv4Address(bits: 0xC633_0000 + UInt32(number))), port: 41_641),
                Endpoint(.v4(IPv4Address(bits: 0xAC10_0000 + UInt32(number))), port: 41_641),
            ])
    }

    private func step() {
        now = now + .milliseconds(1)
        deliver(from: &near, Self.nearEndpoint, to: &far)
        deliver(from: &far, Self.farEndpoint, to: &near)
    }

    private func deliver(from sender: inout Engine, _ endpoint: Endpoint, to other: inout Engine) {
        sender.handleTimeout(at: now)
        while let sent = sender.pollTransmit() {
            guard case .udp = sent.destination else { continue }
            other.handleDisco(sent.bytes.span.bytes, from: .direct(endpoint), by: .main, at: now)
        }
        while sender.pollEvent() != nil {}
    }
}
