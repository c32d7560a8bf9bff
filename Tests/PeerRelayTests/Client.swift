import CryptoPrimitives
import Disco
import NetTypes
import PeerRelay
import SimulatedNetwork

typealias Server = PeerRelayServer<SeededRandom>

let start = MonotonicInstant(nanoseconds: 1_000_000_000_000)
let serverEndpoint = Endpoint(.v4(IPv4Address(203, 0, 113, 9)), port: 7777)

func endpoint(_ last: UInt8, port: UInt16 = 41641) -> Endpoint {
    Endpoint(.v4(IPv4Address(192, 0, 2, last)), port: port)
}

func makeServer(limits: PeerRelayLimits = PeerRelayLimits(), seed: UInt64 = 1) -> Server {
    var server = Server(
        key: PrivateKey<DiscoKind>(), limits: limits, random: SeededRandom(seed: seed))
    server.setEndpoints([serverEndpoint])
    return server
}

/// A client as official nodes behave, for tests.
struct Client {
    let key = PrivateKey<DiscoKind>()
    var random = SeededRandom(seed: 7)
    var disco: DiscoKey { key.publicKey }

    mutating func control(
        _ message: DiscoMessage, to offer: DiscoMessage.RelayEndpoint, padding: Int = 0
    ) -> [UInt8] {
        let box = DiscoBox(own: key, peer: offer.server)!
        let header = GeneveHeader(
            content: .disco, virtualNetwork: offer.virtualNetwork, isControl: true)
        let plaintext = message.encoded(padding: padding)
        return header.encoded + box.seal(plaintext.span.bytes, random: &random)
    }

    func binding(
        _ offer: DiscoMessage.RelayEndpoint, generation: UInt32 = 1
    ) -> DiscoMessage.RelayBinding {
        DiscoMessage.RelayBinding(
            virtualNetwork: offer.virtualNetwork, generation: generation,
            remote: offer.clients.first { $0 != disco }!, challenge: Bytes32())
    }

    func open(_ datagram: [UInt8], _ offer: DiscoMessage.RelayEndpoint) -> DiscoMessage? {
        let box = DiscoBox(own: key, peer: offer.server)!
        let body = datagram.span.bytes.extracting(8..<datagram.count)
        guard let envelope = DiscoEnvelope(body), let plaintext = box.open(envelope) else {
            return nil
        }
        return try? DiscoMessage(plaintext.span.bytes)
    }

    /// The answer to the challenge that `server` sends for a request from `source`.
    mutating func answer(
        _ server: inout Server, _ offer: DiscoMessage.RelayEndpoint, from source: Endpoint,
        generation: UInt32 = 1, at now: MonotonicInstant
    ) -> [UInt8]? {
        let request = control(.bindRelay(binding(offer, generation: generation)), to: offer)
        guard case .reply(let reply) = server.handle(request.span.bytes, from: source, at: now),
            case .bindRelayChallenge(let challenge) = open(reply, offer)
        else { return nil }
        return control(.bindRelayAnswer(challenge), to: offer)
    }

    mutating func bind(
        _ server: inout Server, _ offer: DiscoMessage.RelayEndpoint, from source: Endpoint,
        generation: UInt32 = 1, at now: MonotonicInstant
    ) -> Bool {
        guard
            let answer = answer(
                &server, offer, from: source, generation: generation, at: now)
        else { return false }
        return server.handle(answer.span.bytes, from: source, at: now) == .bound
    }
}

func data(_ network: UInt32, _ content: GeneveHeader.Content = .wireGuard) -> [UInt8] {
    GeneveHeader(content: content, virtualNetwork: network, isControl: false).encoded
        + [UInt8](repeating: 4, count: 100)
}

/// Two clients, bound.
struct BoundPair {
    var one = Client()
    var two = Client()
    let offer: DiscoMessage.RelayEndpoint
    let here = endpoint(1)
    let there = endpoint(2)

    init(_ server: inout Server, at now: MonotonicInstant = start) throws {
        offer = try server.allocate(
            clients: [one.disco, two.disco], requester: one.disco, at: now)
        let first = one.bind(&server, offer, from: here, at: now)
        let second = two.bind(&server, offer, from: there, at: now)
        precondition(first && second, "both bind")
    }
}
