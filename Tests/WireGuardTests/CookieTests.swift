import CryptoPrimitives
import NetTypes
import Testing
import WireGuardMessages

@testable import WireGuard

@Suite("WireGuard cookies")
struct CookieTests {
    /// Fills the queue of `host` with initiations from nowhere, mac1 right, until under load.
    private func overload(_ host: Host, in network: Network) {
        var random = SeededRandom(seed: 1)
        var cookies = CookieJar()
        for number in 0..<128 {
            var message = InitiationMessage.encode(
                senderIndex: UInt32(number), ephemeral: Bytes32(random.bytes(count: 32)),
                sealedStatic: random.bytes(count: 48), sealedTimestamp: random.bytes(count: 28))
            cookies.authenticate(
                &message, keys: AuthenticationKeys(of: host.key.publicKey), at: network.now)
            network.deliver(message, to: host, from: .direct(Endpoint("198.51.100.1:1")!))
        }
    }

    @Test func underLoadASenderMustProveItsAddress() throws {
        let (network, a, b) = try Network.pair(seed: 1)
        overload(b, in: network)
        network.isBlocked = { _, _, _ in true }
        network.send(a, to: b, mark: 1)
        let initiation = a.sent[0].bytes
        let refused = network.deliver(initiation, to: b, from: .direct(a.endpoint))
        #expect(refused == .dropped(.cookieRequired))
        network.settle(b)
        #expect(b.sentCount(of: 2) == 0)
        let reply = b.sent.last!.bytes
        #expect(reply[0] == 3 && reply.count == 64 && b.sent.count == 1)

        // A reply to something else, and a changed one, are not taken.
        var changed = reply
        changed[40] ^= 1
        let forged = network.deliver(changed, to: a, from: .direct(b.endpoint))
        #expect(forged == .dropped(.invalidCookieReply))
        let taken = network.deliver(reply, to: a, from: .direct(b.endpoint))
        let again = network.deliver(reply, to: a, from: .direct(b.endpoint))
        #expect(taken == .handled && again == .dropped(.invalidCookieReply))

        // The next initiation carries it and is worked on although the load has not ended.
        network.run(for: .seconds(6))
        overload(b, in: network)
        let second = a.sent.last { $0.bytes[0] == 1 }!.bytes
        #expect(second[132...] != ArraySlice(repeating: 0, count: 16))
        let elsewhere = network.deliver(
            second, to: b, from: .direct(Endpoint("203.0.113.9:51820")!))
        #expect(elsewhere == .dropped(.cookieRequired), "the cookie is bound to the address")
        let accepted = network.deliver(second, to: b, from: .direct(a.endpoint))
        #expect(accepted == .handled)
        network.settle(b)
        #expect(b.sentCount(of: 2) == 1)
    }

    @Test func aConnectionSucceedsUnderLastingLoad() throws {
        let (network, a, b) = try Network.pair(seed: 2)
        for _ in 0..<16 {
            overload(b, in: network)
            if a.sent.isEmpty { network.send(a, to: b, mark: 1) }
            network.run(for: .milliseconds(900))
        }
        #expect(b.received == [packet(from: a.address, to: b.address, mark: 1)])
        #expect(b.sentCount(of: 3) >= 1 && b.sentCount(of: 2) == 1)
    }

    @Test func cookiesAgeOnBothSides() throws {
        var random = SeededRandom(seed: 3)
        let key = nodeKey(seed: 3).publicKey
        let keys = AuthenticationKeys(of: key)
        var checker = CookieChecker(publicKey: key)
        var jar = CookieJar()
        let start = MonotonicInstant(nanoseconds: 1 << 40)
        let source = PacketSource.relay(region: 4, node: nodeKey(seed: 4).publicKey)
        func message(at now: MonotonicInstant) -> [UInt8] {
            var message = [UInt8](repeating: 0, count: 148)
            message[0] = 1
            jar.authenticate(&message, keys: keys, at: now)
            return message
        }
        let initial = message(at: start)
        let bytes = checker.makeReply(
            to: initial.span.bytes, from: source, at: start, random: &random)
        let reply = CookieReplyMessage(bytes.span.bytes)
        let isTaken = jar.consume(
            nonce: reply.nonce, sealedCookie: reply.sealedCookie, keys: keys, at: start)
        #expect(isTaken)
        func isProven(_ message: [UInt8], _ source: PacketSource, at now: MonotonicInstant) -> Bool
        {
            checker.isMAC2Valid(message.span.bytes, from: source, at: now, random: &random)
        }
        #expect(!isProven(initial, source, at: start))
        let young = message(at: start + .seconds(119))
        #expect(isProven(young, source, at: start + .seconds(119)))
        let other = PacketSource.relay(region: 5, node: nodeKey(seed: 4).publicKey)
        #expect(!isProven(young, other, at: start + .seconds(119)))
        let old = message(at: start + .seconds(120))
        #expect(old.suffix(16) == ArraySlice(repeating: 0, count: 16))
        #expect(!isProven(young, source, at: start + .seconds(120)), "the secret was replaced")
    }

    @Test func underLoadOneSourceGetsTwentyHandshakesASecond() throws {
        let (network, a, b) = try Network.pair(seed: 4)
        overload(b, in: network)
        var random = SeededRandom(seed: 5)
        let keys = AuthenticationKeys(of: b.key.publicKey)
        var jar = CookieJar()
        func initiation() -> [UInt8] {
            var message = InitiationMessage.encode(
                senderIndex: 1, ephemeral: Bytes32(random.bytes(count: 32)),
                sealedStatic: random.bytes(count: 48), sealedTimestamp: random.bytes(count: 28))
            jar.authenticate(&message, keys: keys, at: network.now)
            return message
        }
        let source = PacketSource.direct(a.endpoint)
        let refused = network.deliver(initiation(), to: b, from: source)
        #expect(refused == .dropped(.cookieRequired))
        network.settle(b)
        let bytes = b.sent.last!.bytes
        let reply = CookieReplyMessage(bytes.span.bytes)
        let isTaken = jar.consume(
            nonce: reply.nonce, sealedCookie: reply.sealedCookie, keys: keys, at: network.now)
        #expect(isTaken)
        var accepted = 0
        for _ in 0..<50 where network.deliver(initiation(), to: b, from: source) == .handled {
            accepted += 1
        }
        #expect(accepted == 5)
    }
}
