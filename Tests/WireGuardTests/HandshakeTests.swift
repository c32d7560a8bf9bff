import CryptoPrimitives
import NetTypes
import Noise
import Testing
import WireGuardMessages

@testable import WireGuard

private let first = PeerIndex(number: 0)

@Suite("WireGuard handshakes")
struct HandshakeTests {
    @Test func aPacketWaitsForTheHandshakeAndArrives() throws {
        let (network, a, b) = try Network.pair(seed: 1)
        let result = network.send(a, to: b, mark: 7)
        #expect(result == .staged)
        network.run(for: .seconds(1))
        #expect(b.received == [packet(from: a.address, to: b.address, mark: 7)])
        #expect(a.sentCount(of: 1) == 1 && b.sentCount(of: 2) == 1)
        #expect(a.keepalivesSent == 0, "the waiting packet confirms the session")
        #expect(a.events.contains(.sessionEstablished(first)))
        #expect(b.events.contains(.sessionEstablished(first)))
        #expect(b.events.first == .authenticated(first, from: .direct(a.endpoint)))
        #expect(a.events.first == .authenticated(first, from: .direct(b.endpoint)))

        let back = network.send(b, to: a, mark: 8)
        guard case .sealed = back else {
            Issue.record("the responder has a confirmed session: \(String(describing: back))")
            return
        }
        network.run(for: .seconds(1))
        #expect(a.received == [packet(from: b.address, to: a.address, mark: 8)])
    }

    @Test func theResponderMayNotSendBeforeItHearsFromTheNewSession() throws {
        let (network, a, b) = try Network.pair(seed: 2)
        // Everything the initiator sends after its initiation is lost for a while.
        network.isBlocked = { from, _, bytes in from == 1 && bytes[0] == 4 }
        network.send(a, to: b, mark: 1)
        network.run(for: .milliseconds(200))
        let early = network.send(b, to: a, mark: 2)
        #expect(early == .staged)
        network.isBlocked = { _, _, _ in false }
        network.send(a, to: b, mark: 3)
        network.run(for: .milliseconds(200))
        #expect(a.received == [packet(from: b.address, to: a.address, mark: 2)])
        #expect(b.sentCount(of: 1) == 0, "no handshake of its own within five seconds")
    }

    @Test func anInitiatorWithNothingToSendConfirmsWithAKeepalive() throws {
        let (network, a, b) = try Network.pair(seed: 3)
        a.device.initiateHandshake(with: first, at: network.now)
        network.settle(a)
        network.run(for: .seconds(1))
        #expect(a.keepalivesSent == 1)
        #expect(b.results.contains(.keepalive(first)))
        let result = network.send(b, to: a, mark: 4)
        #expect(result != .staged)
    }

    @Test(arguments: 1...20)
    func bothMayInitiateAtOnce(seed: UInt64) throws {
        let (network, a, b) = try Network.pair(seed: seed)
        network.jitter = .milliseconds(15)
        network.send(a, to: b, mark: 1)
        network.send(b, to: a, mark: 2)
        network.run(for: .seconds(1))
        #expect(a.received == [packet(from: b.address, to: a.address, mark: 2)], "seed \(seed)")
        #expect(b.received == [packet(from: a.address, to: b.address, mark: 1)], "seed \(seed)")
        for round in UInt8(10)..<20 {
            network.send(a, to: b, mark: round)
            network.send(b, to: a, mark: round)
            network.run(for: .milliseconds(100))
        }
        #expect(a.received.count == 11 && b.received.count == 11, "seed \(seed)")
        #expect(a.sentCount(of: 1) == 1 && b.sentCount(of: 1) == 1, "no second try was needed")
    }

    @Test func initiationsAreRepeatedUntilAnsweredAndAbandonedAfterNinetySeconds() throws {
        let (network, a, b) = try Network.pair(seed: 4)
        network.isBlocked = { _, _, _ in true }
        network.send(a, to: b, mark: 1)
        network.run(for: .seconds(30))
        let times = a.sent.filter { $0.bytes[0] == 1 }.map(\.at)
        #expect(times.count == 6)
        for (earlier, later) in zip(times, times.dropFirst()) {
            #expect(later - earlier >= .seconds(5))
            #expect(later - earlier <= .milliseconds(5333))
        }
        network.run(for: .seconds(90))
        #expect(a.sentCount(of: 1) == 20, "the first and nineteen repetitions")
        #expect(a.events == [.handshakeAbandoned(first)])
        let dropped = a.device.dropCount(.handshakeAbandoned)
        #expect(dropped == 1)
        network.isBlocked = { _, _, _ in false }
        network.run(for: .seconds(300))
        #expect(b.received.isEmpty && a.sentCount(of: 1) == 20, "silent until there is new data")
        network.send(a, to: b, mark: 2)
        network.run(for: .seconds(1))
        #expect(b.received == [packet(from: a.address, to: b.address, mark: 2)])
    }

    @Test func aReplayedInitiationIsNotAnswered() throws {
        let (network, a, b) = try Network.pair(seed: 5)
        network.send(a, to: b, mark: 1)
        network.run(for: .seconds(1))
        let initiation = a.sent[0].bytes
        network.run(for: .seconds(10))
        network.deliver(initiation, to: b, from: .direct(a.endpoint))
        network.settle(b)
        let dropped = b.device.dropCount(.replayedInitiation)
        #expect(dropped == 1 && b.sentCount(of: 2) == 1)
        let result = network.send(a, to: b, mark: 2)
        #expect(result != .staged, "the session is untouched")
    }

    @Test func stampsGrowWhenTheClockIsSetBack() throws {
        let (network, a, b) = try Network.pair(seed: 6)
        network.send(a, to: b, mark: 1)
        network.run(for: .seconds(200))
        a.clockError = .seconds(-86_400)
        network.send(a, to: b, mark: 2)
        network.run(for: .seconds(1))
        #expect(b.received.count == 2)
        #expect(a.sentCount(of: 1) == 2 && b.sentCount(of: 2) == 2)
    }

    @Test func initiationsCloserThanTwentyMillisecondsAreDropped() throws {
        let (network, a, b) = try Network.pair(seed: 7)
        let messages = initiations(3, from: a, to: b)
        for message in messages.prefix(2) {
            network.deliver(message, to: b, from: .direct(a.endpoint))
            network.settle(b)
        }
        let flooded = b.device.dropCount(.floodedInitiation)
        #expect(flooded == 1 && b.sentCount(of: 2) == 1)
        network.run(for: .milliseconds(20))
        network.deliver(messages[2], to: b, from: .direct(a.endpoint))
        network.settle(b)
        #expect(b.sentCount(of: 2) == 2)
    }

    @Test func everyChangedByteOfAHandshakeIsRefused() throws {
        let (network, a, b) = try Network.pair(seed: 8)
        network.isBlocked = { _, _, _ in true }
        network.send(a, to: b, mark: 1)
        let initiation = a.sent[0].bytes
        for position in initiation.indices where position < 132 {
            var changed = initiation
            changed[position] ^= 0x40
            network.deliver(changed, to: b, from: .direct(a.endpoint))
            network.settle(b)
        }
        #expect(b.sent.isEmpty && b.events.isEmpty)
        // With the MAC made right again the change must be found by the handshake itself.
        let keys = AuthenticationKeys(of: b.key.publicKey)
        for position in 8..<116 {
            var changed = initiation
            changed[position] ^= 0x04
            let mac = MessageAuthentication.mac1(changed.span.bytes, key: keys.mac1)
            MessageAuthentication.store(mac, in: &changed, at: 116..<132)
            network.deliver(changed, to: b, from: .direct(a.endpoint))
            network.settle(b)
        }
        #expect(b.sent.isEmpty && b.events.isEmpty)
        let invalid = b.device.dropCount(.invalidHandshake)
        #expect(invalid == 108)

        network.deliver(initiation, to: b, from: .direct(a.endpoint))
        network.settle(b)
        let response = b.sent[0].bytes
        let keysOfA = AuthenticationKeys(of: a.key.publicKey)
        for position in 12..<60 {
            var changed = response
            changed[position] ^= 0x04
            let mac = MessageAuthentication.mac1(changed.span.bytes, key: keysOfA.mac1)
            MessageAuthentication.store(mac, in: &changed, at: 60..<76)
            network.deliver(changed, to: a, from: .direct(b.endpoint))
            network.settle(a)
        }
        #expect(!a.events.contains(.sessionEstablished(first)))
        network.deliver(response, to: a, from: .direct(b.endpoint))
        network.settle(a)
        #expect(a.events.contains(.sessionEstablished(first)), "forgeries leave it usable")
    }

    @Test func presharedKeysMustAgree() throws {
        let (network, a, b) = try Network.pair(seed: 9)
        func configure(_ host: Host, about other: Host, _ byte: UInt8) throws {
            let secret = [UInt8](repeating: byte, count: 32)
            try host.device.upsertPeer(
                PeerConfiguration(
                    publicKey: other.key.publicKey,
                    presharedKey: SecretBytes(copying: secret.span.bytes),
                    allowedIPs: [IPPrefix(host: .v4(other.address))]), at: network.now)
        }
        try configure(a, about: b, 1)
        try configure(b, about: a, 2)
        network.send(a, to: b, mark: 1)
        network.run(for: .seconds(4))
        #expect(b.received.isEmpty && !a.events.contains(.sessionEstablished(first)))
        try configure(b, about: a, 1)
        network.run(for: .seconds(4))
        #expect(b.received == [packet(from: a.address, to: b.address, mark: 1)])
    }

    @Test func anInitiatorThatBecomesAPeerInTimeIsAnsweredAtOnce() throws {
        let network = Network(seed: 10)
        let a = network.addHost()
        let b = network.addHost()
        try network.learn(a, about: b)
        network.send(a, to: b, mark: 1)
        network.run(for: .milliseconds(100))
        #expect(b.events == [.unknownInitiator(a.key.publicKey, from: .direct(a.endpoint))])
        #expect(b.sent.isEmpty)
        try network.learn(b, about: a)
        network.run(for: .milliseconds(100))
        #expect(b.received == [packet(from: a.address, to: b.address, mark: 1)])
        #expect(a.sentCount(of: 1) == 1)
    }

    @Test func publicKeyWorkOfOneWakeUpIsBounded() throws {
        let network = Network(seed: 11)
        let server = network.addHost(.init(handshakesPerWakeUp: 4))
        var messages: [[UInt8]] = []
        for _ in 0..<10 {
            let client = network.addHost()
            try network.connect(server, client)
            messages += initiations(1, from: client, to: server)
        }
        for message in messages {
            network.deliver(
                message, to: server, from: .direct(Endpoint("192.0.2.99:1")!))
        }
        server.device.handleTimeout(at: network.now, civil: network.civil(of: server))
        var answered = 0
        while let event = server.device.pollEvent() {
            if case .authenticated = event { answered += 1 }
        }
        #expect(answered == 4)
        let deadline = server.device.nextDeadline
        #expect(deadline.map { $0 <= network.now } == true, "there is more to do at once")
        network.settle(server)
        #expect(server.sentCount(of: 2) == 10)
    }

    @Test func aPeerOfSmallOrderNeverHandshakes() throws {
        let network = Network(seed: 12)
        let a = network.addHost()
        try a.device.upsertPeer(
            PeerConfiguration(publicKey: .zero, allowedIPs: [prefix("0.0.0.0/0")]),
            at: network.now)
        let result = network.send(
            a, packet(from: a.address, to: IPv4Address(1, 1, 1, 1), mark: 0),
            to: .v4(IPv4Address(1, 1, 1, 1)))
        #expect(result == .staged)
        network.run(for: .seconds(200))
        #expect(a.sent.isEmpty)
    }

    /// Initiations of `a` to `b` with growing stamps, made outside of `a`'s device.
    private func initiations(_ count: Int, from a: Host, to b: Host) -> [[UInt8]] {
        var random = SeededRandom(seed: 77)
        var cookies = CookieJar()
        let secret = a.key.sharedSecret(with: b.key.publicKey.bytes)!
        return (0..<count).map { number in
            var message = OutstandingInitiation.make(
                from: a.key, to: b.key.publicKey, staticSecret: secret, index: UInt32(number),
                timestamp: .init(Timestamp(unixSeconds: Int64(2_000_000_000 + number))),
                ephemeral: .init(random: &random))!.message
            cookies.authenticate(
                &message, keys: AuthenticationKeys(of: b.key.publicKey),
                at: MonotonicInstant(nanoseconds: 0))
            return message
        }
    }
}
