import CryptoPrimitives
import Disco
import NetTypes
import PathEngine
import PeerRelay
import STUN

let pathFuzzTargets: [FuzzTarget] = [
    FuzzTarget(name: "stun-client") { datagram in
        _ = try? STUNResponse(datagram)
        _ = try? STUNErrorResponse(datagram)
        _ = STUNRequest.transactionID(of: datagram)
    },
    FuzzTarget(name: "stun-server") { request in
        let source = Endpoint(.v4(IPv4Address(203, 0, 113, 7)), port: 41_641)
        let site = STUNSite(
            local: Endpoint(.v4(IPv4Address(198, 51, 100, 1)), port: 3478), alternatePort: 3479,
            alternateAddress: .v4(IPv4Address(198, 51, 100, 2)))
        for site in [nil, site] {
            guard let response = STUNServerLogic.response(to: request, from: source, at: site)
            else { continue }
            precondition(
                10 * (response.count + 28) <= 21 * (request.byteCount + 28), "the answer amplifies")
        }
    },
    FuzzTarget(name: "datagram-kind") { datagram in
        _ = classify(datagram)
        _ = GeneveHeader(datagram)
        _ = DiscoEnvelope(datagram)
    },
    FuzzTarget(name: "disco-message") { plaintext in
        guard let message = try? DiscoMessage(plaintext) else { return }
        let again = message.encoded()
        precondition((try? unsafe DiscoMessage(again.span.bytes)) == message, "encodes to itself")
    },
    FuzzTarget(name: "path-engine") { runPathEngine($0) },
    FuzzTarget(name: "peer-relay") { runPeerRelay($0) },
]

/// Each step is a byte of what happens, a byte of length and that many bytes: a datagram, or the
/// plaintext of a message by one of two clients.
private func runPeerRelay(_ script: RawSpan) {
    var server = PeerRelayServer(key: relayKey, random: Counter())
    var now = MonotonicInstant(nanoseconds: 0) + .minutes(60)
    server.setEndpoints([Endpoint(.v4(IPv4Address(198, 51, 100, 1)), port: 7777)])
    let clients = [ownDisco, peerDisco]
    guard
        let offer = try? server.allocate(
            clients: clients.map(\.publicKey), requester: ownDisco.publicKey, at: now)
    else { return }
    var reader = ByteReader(script)
    var nonces = Counter()
    while let kind = try? reader.readBigEndian(as: UInt8.self),
        let length = try? reader.readBigEndian(as: UInt8.self),
        let body = try? reader.readSpan(count: min(Int(length), reader.remaining))
    {
        let source = Endpoint(.v4(IPv4Address(203, 0, 113, kind >> 4)), port: 41_641)
        var datagram = body.array
        if kind & 3 < 2, let box = DiscoBox(own: clients[Int(kind & 1)], peer: offer.server) {
            let header = GeneveHeader(
                content: .disco, virtualNetwork: offer.virtualNetwork, isControl: true)
            let sealed = box.seal(body, random: &nonces)
            datagram = header.encoded + sealed
        } else if kind & 3 == 2 {
            now = now + .seconds(Int64(length))
        }
        if case .reply(let reply) = unsafe server.handle(
            datagram.span.bytes, from: source, at: now)
        {
            precondition(reply.count <= datagram.count, "the answer amplifies")
        }
        server.handleTimeout(at: now)
        if let next = server.nextDeadline { precondition(next > now, "a deadline that stays due") }
    }
}

private let relayKey = PrivateKey<DiscoKind>()

/// Feeds an engine a script: each step is one byte of what happens, one byte of length, and that many
/// bytes, which for messages are the plaintext of a box.
private func runPathEngine(_ script: RawSpan) {
    var engine = makeEngine()
    var now = MonotonicInstant(nanoseconds: 0) + .minutes(60)
    var reader = ByteReader(script)
    while let kind = try? reader.readBigEndian(as: UInt8.self),
        let length = try? reader.readBigEndian(as: UInt8.self)
    {
        guard let body = try? reader.readSpan(count: min(Int(length), reader.remaining)) else {
            break
        }
        let endpoint = Endpoint(.v4(IPv4Address(203, 0, 113, kind)), port: UInt16(length) + 1)
        switch kind & 7 {
        case 0, 1:
            engine.handleDiscoMessage(
                body, sender: peerDisco.publicKey, from: .direct(endpoint), at: now)
        case 2, 3:
            engine.handleDiscoMessage(
                body, sender: peerDisco.publicKey, from: .relay(region: 1, node: peerNode), at: now)
        case 4: _ = engine.route(for: Int(kind >> 3) & 1, at: now)
        case 5: now = now + .milliseconds(Int64(length) * Int64(kind))
        case 6: engine.noteReceived(from: 0, source: .direct(endpoint), at: now)
        default:
            engine.handleDisco(body, from: .direct(endpoint), at: now)
            if let header = GeneveHeader(body) {
                engine.handleGeneve(body, header, from: endpoint, at: now)
            }
        }
        engine.handleTimeout(at: now)
        var sent = 0
        while engine.pollTransmit() != nil { sent += 1 }
        precondition(sent <= 400, "a flood")
        while engine.pollEvent() != nil {}
        if let next = engine.nextDeadline { precondition(next > now, "a deadline that stays due") }
    }
}

private let ownDisco = PrivateKey<DiscoKind>()
private let peerDisco = PrivateKey<DiscoKind>()
private let peerNode = NodeKey(Bytes32(Array(repeating: 7, count: 32)))

private func makeEngine() -> PathEngine<Counter> {
    var engine = PathEngine(
        nodeKey: NodeKey(Bytes32(Array(repeating: 9, count: 32))), discoKey: ownDisco,
        random: Counter())
    let now = MonotonicInstant(nanoseconds: 0) + .minutes(60)
    engine.setLocalEndpoints([Endpoint(.v4(IPv4Address(192, 168, 1, 2)), port: 41_641)], at: now)
    engine.upsertPeer(
        PathPeer(
            nodeKey: peerNode, discoKey: peerDisco.publicKey, homeRelay: 1,
            endpoints: [Endpoint(.v4(IPv4Address(198, 51, 100, 9)), port: 5)],
            relayRoles: [.canBeRelayed, .mayUseOurs]),
        index: 0, at: now)
    engine.upsertPeer(
        PathPeer(
            nodeKey: NodeKey(Bytes32(Array(repeating: 8, count: 32))),
            discoKey: relayKey.publicKey, homeRelay: 1, endpoints: [],
            relayRoles: [.canBeRelayed, .relaysForUs]),
        index: 1, at: now)
    return engine
}

/// Predictable, so that a script can answer pings.
private struct Counter: RandomNumberGenerator {
    private var value: UInt64 = 0
    mutating func next() -> UInt64 {
        value += 1
        return value
    }
}
