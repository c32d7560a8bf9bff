import CryptoPrimitives
import NetTypes
import Testing

@testable import WireGuard

private let first = PeerIndex(number: 0)

@Suite("WireGuard sessions and timers")
struct SessionTests {
    /// A pair that has exchanged a packet in each direction.
    private func connectedPair(seed: UInt64) throws -> (Network, Host, Host) {
        let (network, a, b) = try Network.pair(seed: seed)
        network.send(a, to: b, mark: 1)
        network.run(for: .milliseconds(100))
        network.send(b, to: a, mark: 1)
        network.run(for: .milliseconds(100))
        #expect(a.received.count == 1 && b.received.count == 1)
        return (network, a, b)
    }

    @Test func theInitiatorRenewsTheSessionAfterTwoMinutesOfUse() throws {
        let (network, a, b) = try connectedPair(seed: 1)
        for _ in 0..<40 {
            network.send(a, to: b, mark: 2)
            network.send(b, to: a, mark: 2)
            network.run(for: .seconds(5))
        }
        let times = a.sent.filter { $0.bytes[0] == 1 }.map(\.at)
        #expect(times.count == 2)
        #expect(times[1] - times[0] >= .seconds(120) && times[1] - times[0] < .seconds(126))
        #expect(b.sentCount(of: 1) == 0, "the responder does not renew")
        #expect(a.received.count == 41 && b.received.count == 41, "no packet waited in vain")
    }

    @Test func anInitiatorThatOnlyReceivesRenewsBeforeTheSessionDies() throws {
        let (network, a, b) = try connectedPair(seed: 2)
        for _ in 0..<340 {
            network.send(b, to: a, mark: 3)
            network.run(for: .milliseconds(500))
        }
        // Its keepalives are sent too, so it renews as a sender at 120 s; without them at 165 s.
        #expect(a.sentCount(of: 1) == 2)
        #expect(a.received.count == 341)
    }

    @Test func aSessionDiesAfterThreeMinutesAndItsKeysAfterNine() throws {
        let (network, a, b) = try connectedPair(seed: 3)
        let old = a.sent.last { $0.bytes[0] == 4 }!.bytes
        network.run(for: .seconds(181))
        let late = network.deliver(old, to: b, from: .direct(a.endpoint))
        #expect(late == .dropped(.expiredSession))
        let sessions = (a.device.sessions.count, b.device.sessions.count)
        #expect(sessions == (1, 1))
        network.run(for: .seconds(360))
        #expect(a.events.contains(.keysErased(first)) && b.events.contains(.keysErased(first)))
        let erased = (a.device.sessions.count, b.device.sessions.count, a.device.indices.count)
        #expect(erased == (0, 0, 0))
        let unknown = network.deliver(old, to: b, from: .direct(a.endpoint))
        #expect(unknown == .dropped(.unknownIndex))
        let result = network.send(a, to: b, mark: 9)
        #expect(result == .staged)
        network.run(for: .seconds(1))
        #expect(b.received.last == packet(from: a.address, to: b.address, mark: 9))
    }

    @Test func silenceIsAnsweredByAKeepaliveOnce() throws {
        let (network, a, b) = try connectedPair(seed: 4)
        let before = a.keepalivesSent
        network.send(b, to: a, mark: 5)
        network.run(for: .seconds(9))
        #expect(a.keepalivesSent == before)
        network.run(for: .seconds(2))
        #expect(a.keepalivesSent == before + 1)
        network.run(for: .seconds(60))
        #expect(a.keepalivesSent == before + 1 && a.sentCount(of: 1) == 1, "then all is quiet")
    }

    @Test func dataIntoTheVoidStartsAHandshakeAfterFifteenSeconds() throws {
        let (network, a, b) = try connectedPair(seed: 5)
        network.run(for: .seconds(30))
        let initiations = a.sentCount(of: 1)
        network.isBlocked = { _, to, _ in to == 1 }
        let sentAt = network.now
        network.send(a, to: b, mark: 6)
        network.run(for: .seconds(16))
        let attempt = a.sent.last { $0.bytes[0] == 1 }!
        #expect(a.sentCount(of: 1) == initiations + 1)
        #expect(attempt.at - sentAt >= .seconds(15) && attempt.at - sentAt <= .milliseconds(15_333))
    }

    @Test func aRestartedPeerIsFoundAgain() throws {
        let (network, a, b) = try connectedPair(seed: 6)
        b.device = WireGuardDevice(privateKey: b.key, random: SeededRandom(seed: 99))
        try network.learn(b, about: a)
        network.send(a, to: b, mark: 7)
        network.run(for: .seconds(14))
        #expect(b.received.count == 1, "b cannot read it")
        network.run(for: .seconds(3))
        network.send(a, to: b, mark: 8)
        network.run(for: .seconds(1))
        #expect(b.received.last == packet(from: a.address, to: b.address, mark: 8))
    }

    @Test func persistentKeepalivesKeepOnThroughLoss() throws {
        let (network, a, b) = try Network.pair(seed: 7, keepalive: .seconds(25))
        network.run(for: .seconds(1))
        #expect(a.events.contains(.sessionEstablished(first)), "the first opens the way at once")
        let start = a.keepalivesSent
        network.run(for: .seconds(100))
        #expect((3...4).contains(a.keepalivesSent - start))
        network.isBlocked = { _, _, _ in true }
        network.run(for: .seconds(400))
        network.isBlocked = { _, _, _ in false }
        let established = a.events.count { $0 == .sessionEstablished(first) }
        network.run(for: .seconds(40))
        #expect(a.events.count { $0 == .sessionEstablished(first) } > established)
        try network.learn(a, about: b, keepalive: .zero)
        network.run(for: .seconds(20))
        let end = a.sent.count
        network.run(for: .seconds(300))
        #expect(a.sent.count == end)
    }

    @Test func anUsedUpCounterStopsTheSessionAndStartsAnother() throws {
        let (network, a, b) = try connectedPair(seed: 8)
        network.run(for: .seconds(6))
        let session = a.device.peers[0].keypairs.current!
        a.device.sessions[session].nextCounter = 1 << 60
        network.send(a, to: b, mark: 2)
        #expect(a.sentCount(of: 1) == 2, "renewed at 2^60 messages")
        network.run(for: .seconds(1))

        network.run(for: .seconds(6))
        let next = a.device.peers[0].keypairs.current!
        #expect(next != session)
        a.device.sessions[next].nextCounter = UInt64.max - (1 << 13) - 1
        let last = network.send(a, to: b, mark: 3)
        network.run(for: .milliseconds(15))
        let beyond = network.send(a, to: b, mark: 4)
        #expect(last != .staged && beyond == .staged)
        network.run(for: .seconds(1))
        #expect(b.received.suffix(2).map { $0[99] } == [3, 4])
    }

    @Test func everyPacketIsAcceptedOnce() throws {
        let (network, a, b) = try connectedPair(seed: 9)
        network.isBlocked = { _, _, _ in true }
        var messages: [[UInt8]] = []
        for mark in UInt8(0)..<200 {
            network.send(a, to: b, mark: mark)
            messages.append(a.sent.last!.bytes)
        }
        for message in messages.reversed() {
            network.deliver(message, to: b, from: .direct(a.endpoint))
        }
        #expect(b.received.suffix(200).map { $0[99] } == (UInt8(0)..<200).reversed())
        for message in messages {
            let again = network.deliver(message, to: b, from: .direct(a.endpoint))
            #expect(again == .dropped(.replayedCounter))
        }
    }

    @Test func everyChangedByteOfAPacketIsRefusedAndLeavesTheOriginalGood() throws {
        let (network, a, b) = try connectedPair(seed: 10)
        network.isBlocked = { _, _, _ in true }
        network.send(a, to: b, mark: 1)
        let message = a.sent.last!.bytes
        for position in message.indices {
            var changed = message
            changed[position] ^= 1
            let result = network.deliver(changed, to: b, from: .direct(a.endpoint))
            guard case .dropped = result else {
                Issue.record("byte \(position) may be changed: \(result)")
                continue
            }
        }
        let original = network.deliver(message, to: b, from: .direct(a.endpoint))
        #expect(original == .packet(first, 16..<116))
    }

    @Test func aNewPrivateKeyEndsAllSessions() throws {
        let (network, a, b) = try connectedPair(seed: 11)
        let fresh = nodeKey(seed: 4242)
        a.device.setPrivateKey(fresh)
        let (sessions, key) = (a.device.sessions.count, a.device.publicKey)
        #expect(sessions == 0 && key == fresh.publicKey)
        network.send(a, to: b, mark: 2)
        network.run(for: .seconds(1))
        #expect(b.events.contains(.unknownInitiator(fresh.publicKey, from: .direct(a.endpoint))))
        let index = try b.device.upsertPeer(
            PeerConfiguration(
                publicKey: fresh.publicKey, allowedIPs: [IPPrefix(host: .v4(a.address))]),
            at: network.now)
        b.hostOfPeer[index.number] = a.number
        network.settle(b)
        network.run(for: .seconds(1))
        #expect(b.received.last == packet(from: a.address, to: b.address, mark: 2))
        a.device.setPrivateKey(nil)
        let silent = network.deliver(b.sent.last!.bytes, to: a, from: .direct(b.endpoint))
        #expect(silent == .dropped(.noIdentity), "it was the response")
    }

    @Test func packetsFromAnotherAddressNameTheirPeerAndSource() throws {
        let (network, a, b) = try connectedPair(seed: 12)
        a.endpoint = Endpoint("[2001:db8::7]:9")!
        network.run(for: .seconds(125))
        network.send(a, to: b, mark: 2)
        network.run(for: .seconds(1))
        #expect(b.packets.last?.peer == first)
        #expect(b.events.contains(.authenticated(first, from: .direct(a.endpoint))))
        #expect(a.events.count { $0 == .sessionEstablished(first) } == 2)
    }

    @Test func removingAPeerForgetsItsSessionAndItsNumberIsUsedAgain() throws {
        let (network, a, b) = try connectedPair(seed: 13)
        a.device.removePeer(b.key.publicKey)
        let left = (a.device.sessions.count, a.device.indices.count, a.device.nextDeadline)
        #expect(left.0 == 0 && left.1 == 0 && left.2 == nil)
        let route = a.device.peer(forDestination: .v4(b.address))
        #expect(route == nil)
        var slot = [UInt8](repeating: 0, count: 256)
        var span = slot.mutableSpan
        var bytes = span.mutableBytes
        let result = a.device.seal(slot: &bytes, payload: 64..<100, for: first, at: network.now)
        #expect(result == .dropped(.unknownPeer))
        let again = try a.device.upsertPeer(
            PeerConfiguration(publicKey: nodeKey(seed: 5).publicKey), at: network.now)
        #expect(again == first)
    }

    @Test func suspendingForHoursDoesNotBreakAnything() throws {
        let (network, a, b) = try connectedPair(seed: 14)
        network.jump(by: .seconds(7200))
        for host in [a, b] { network.settle(host) }
        network.send(a, to: b, mark: 2)
        network.run(for: .seconds(1))
        #expect(b.received.last == packet(from: a.address, to: b.address, mark: 2))
    }
}
