import CryptoPrimitives
import Disco
import NetTypes
import PeerRelay
import SimulatedNetwork
import Testing

@Suite("hostile clients of a peer relay")
struct HostileClientTests {
    @Test("an answer from another address than the challenge went to binds nothing")
    func spoofedSource() throws {
        var server = makeServer()
        var one = Client()
        let two = Client()
        let offer = try server.allocate(
            clients: [one.disco, two.disco], requester: one.disco, at: start)
        let answer = try #require(one.answer(&server, offer, from: endpoint(1), at: start))
        for wrong in [endpoint(1, port: 9), endpoint(66), serverEndpoint] {
            let verdict = server.handle(answer.span.bytes, from: wrong, at: start)
            #expect(verdict == .drop(.badChallenge))
        }
        let right = server.handle(answer.span.bytes, from: endpoint(1), at: start)
        #expect(right == .bound)
    }

    @Test("nobody but the two clients can bind or cause an answer")
    func strangers() throws {
        var server = makeServer()
        let pair = try BoundPair(&server)
        var stranger = Client()
        var binding = pair.one.binding(pair.offer, generation: 9)
        let message = stranger.control(.bindRelay(binding), to: pair.offer)
        let verdict = server.handle(message.span.bytes, from: endpoint(66), at: start)
        #expect(verdict == .drop(.notAuthentic))
        // The right sender in front of a box that is not its own.
        var forged = message
        forged.replaceSubrange(8 + 6..<8 + 38, with: pair.one.disco.bytes.array)
        let second = server.handle(forged.span.bytes, from: endpoint(66), at: start)
        #expect(second == .drop(.notAuthentic))
        // A client that names somebody else as its other end.
        binding.remote = stranger.disco
        var one = pair.one
        let third = server.handle(
            one.control(.bindRelay(binding), to: pair.offer).span.bytes, from: endpoint(1),
            at: start)
        #expect(third == .drop(.malformed))
    }

    @Test("a client cannot bind to another pair's network")
    func otherNetwork() throws {
        var server = makeServer()
        var pair = try BoundPair(&server)
        let other = try BoundPair(&server)
        var wrong = pair.offer
        wrong.virtualNetwork = other.offer.virtualNetwork
        let header = pair.one.control(
            .bindRelay(pair.one.binding(pair.offer, generation: 2)), to: wrong)
        let byHeader = server.handle(header.span.bytes, from: endpoint(1), at: start)
        #expect(byHeader == .drop(.notAuthentic))
        var binding = pair.one.binding(pair.offer, generation: 2)
        binding.virtualNetwork = other.offer.virtualNetwork
        let body = pair.one.control(.bindRelay(binding), to: pair.offer)
        let byBody = server.handle(body.span.bytes, from: endpoint(1), at: start)
        #expect(byBody == .drop(.malformed))
    }

    @Test("a challenge is good for two to four minutes and for one generation")
    func staleChallenges() throws {
        var server = makeServer()
        var one = Client()
        let offer = try server.allocate(
            clients: [one.disco, Client().disco], requester: one.disco, at: start)
        // Something is asked for now and then, so that the allocation lives.
        func keep(_ server: inout Server, until end: MonotonicInstant) throws {
            var now = start
            while now < end {
                now = min(now + .seconds(20), end)
                _ = try server.allocate(
                    clients: offer.clients, requester: one.disco, at: now)
                server.handleTimeout(at: now)
            }
        }
        let good = try #require(one.answer(&server, offer, from: endpoint(1), at: start))
        try keep(&server, until: start + .seconds(119))
        let late = server.handle(
            good.span.bytes, from: endpoint(1), at: start + .seconds(119))
        #expect(late == .bound)
        try keep(&server, until: start + .seconds(250))
        let tooLate = server.handle(
            good.span.bytes, from: endpoint(1), at: start + .seconds(250))
        #expect(tooLate == .drop(.badChallenge))

        let now = start + .seconds(250)
        let older = try #require(
            one.answer(&server, offer, from: endpoint(1), generation: 5, at: now))
        _ = one.answer(&server, offer, from: endpoint(1), generation: 6, at: now)
        let outrun = server.handle(older.span.bytes, from: endpoint(1), at: now)
        #expect(outrun == .drop(.badChallenge))
    }

    @Test("a recorded handshake does not bind the address it came from again")
    func replay() throws {
        var server = makeServer()
        var pair = try BoundPair(&server)
        let moved = endpoint(77)
        // What a listener has: both messages of the binding by which the client left its first address.
        let request = pair.one.control(
            .bindRelay(pair.one.binding(pair.offer, generation: 2)), to: pair.offer)
        let answer = try #require(
            pair.one.answer(&server, pair.offer, from: pair.here, generation: 2, at: start))
        let first = server.handle(answer.span.bytes, from: pair.here, at: start)
        #expect(first == .bound)
        let hasMoved = pair.one.bind(&server, pair.offer, from: moved, generation: 3, at: start)
        #expect(hasMoved)
        _ = server.handle(request.span.bytes, from: pair.here, at: start)
        let replayed = server.handle(answer.span.bytes, from: pair.here, at: start)
        #expect(replayed == .drop(.badChallenge))
        let packet = data(pair.offer.virtualNetwork)
        let verdict = server.handle(packet.span.bytes, from: pair.there, at: start)
        #expect(verdict == .forward(to: moved))
    }

    @Test("no answer is longer than what it answers, and each message has one at most")
    func noAmplification() throws {
        var server = makeServer()
        var one = Client()
        let offer = try server.allocate(
            clients: [one.disco, Client().disco], requester: one.disco, at: start)
        let request = one.control(.bindRelay(one.binding(offer)), to: offer)
        guard
            case .reply(let reply) = server.handle(request.span.bytes, from: endpoint(1), at: start)
        else {
            Issue.record("a request is answered")
            return
        }
        #expect(reply.count == request.count)
        // A listener who repeats the request under a forged source is answered ten times a second.
        var answers = 0
        for _ in 0..<1_000 {
            if case .reply = server.handle(request.span.bytes, from: endpoint(66), at: start) {
                answers += 1
            }
        }
        #expect(answers <= 10)
        let dropped = server.counters.dropped[.rateLimited] ?? 0
        #expect(dropped >= 990)
    }

    @Test("allocations of one client and of all are bounded, and come free again")
    func exhaustion() throws {
        var server = makeServer(
            limits: PeerRelayLimits(allocationsMax: 6, allocationsPerClientMax: 4))
        let greedy = Client()
        for _ in 0..<4 {
            _ = try server.allocate(
                clients: [greedy.disco, Client().disco], requester: greedy.disco, at: start)
        }
        #expect(throws: PeerRelayRefusal.clientFull) {
            try server.allocate(
                clients: [greedy.disco, Client().disco], requester: greedy.disco, at: start)
        }
        for _ in 0..<2 {
            let other = Client()
            _ = try server.allocate(
                clients: [other.disco, greedy.disco], requester: other.disco, at: start)
        }
        let last = Client()
        #expect(throws: PeerRelayRefusal.serverFull) {
            try server.allocate(
                clients: [last.disco, Client().disco], requester: last.disco, at: start)
        }
        let later = start + .seconds(61)
        server.handleTimeout(at: later)
        let count = server.allocationCount
        #expect(count == 0)
        _ = try server.allocate(
            clients: [greedy.disco, Client().disco], requester: greedy.disco, at: later)
        let refused = server.counters.refused
        #expect(refused == 2)
    }

    @Test("who asks must be one of two, and neither the relay itself")
    func badClients() {
        var server = makeServer()
        let (one, two) = (Client(), Client())
        let serverKey = server.key.publicKey
        let bad: [([DiscoKey], DiscoKey)] = [
            ([one.disco, one.disco], one.disco), ([one.disco, two.disco], Client().disco),
            ([one.disco], one.disco), ([one.disco, .zero], one.disco),
            ([one.disco, serverKey], one.disco), ([], one.disco),
            ([one.disco, DiscoKey(Bytes32([1] + [UInt8](repeating: 0, count: 31)))], one.disco),
        ]
        for (clients, requester) in bad {
            #expect(throws: PeerRelayRefusal.badClients) {
                try server.allocate(clients: clients, requester: requester, at: start)
            }
        }
        server.setEndpoints([])
        #expect(throws: PeerRelayRefusal.noEndpoints) {
            try server.allocate(clients: [one.disco, two.disco], requester: one.disco, at: start)
        }
    }

    @Test("random and mangled datagrams are dropped without an answer", arguments: 1...20)
    func garbage(seed: UInt64) throws {
        var server = makeServer(seed: seed)
        var pair = try BoundPair(&server)
        var random = SeededRandom(seed: seed)
        let request = pair.one.control(
            .bindRelay(pair.one.binding(pair.offer, generation: 2)), to: pair.offer)
        for _ in 0..<500 {
            var bytes = request
            switch UInt8.random(in: 0..<3, using: &random) {
            case 0: bytes.removeLast(Int.random(in: 1...bytes.count, using: &random))
            case 1:
                let index = Int.random(in: 8..<bytes.count, using: &random)
                bytes[index] ^= UInt8.random(in: 1...255, using: &random)
            default: bytes = random.bytes(count: Int.random(in: 0..<200, using: &random))
            }
            let verdict = server.handle(bytes.span.bytes, from: endpoint(66), at: start)
            guard case .drop = verdict else {
                Issue.record("seed \(seed): \(verdict) for \(bytes)")
                return
            }
        }
    }
}
