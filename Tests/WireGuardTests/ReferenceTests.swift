import CryptoPrimitives
import NetTypes
import Noise
import Testing
import WireGuardMessages

@testable import WireGuard

@Suite("WireGuard against the reference and a recorded session")
struct ReferenceTests {
    // Data protocol §14.
    @Test func authenticationKeysMatchTheReference() {
        let key = NodeKey(Bytes32((0..<32).map { UInt8($0) }))
        let keys = AuthenticationKeys(of: key)
        #expect(
            Hexadecimal.encode(keys.mac1.array)
                == "4fb2527ac956001553dc1ad9b55171b7d9daa3de1cdbcd71451830170c7e6cac")
        #expect(
            Hexadecimal.encode(keys.cookie.array)
                == "3dd5869c5202e45146936d1644f76ff697061661c181f3fd450eae43932eacec")
        // An initiation of zeros: its mac1 covers the first 116 bytes.
        let message = [UInt8](repeating: 0, count: 148)
        let mac = MessageAuthentication.mac1(message.span.bytes, key: keys.mac1)
        #expect(
            Hexadecimal.encode((0..<16).map { mac[$0] }) == "4f7c082c2cb05f95395d48389019ca53")
        let state = SymmetricState.tunnel(responder: key)
        let hash = state.handshakeHash
        let expected = bytes("2211b361081ac566691243db458ad5322d9c6c662293e8b70ee19c65ba079ef3")
        let keyBytes = key.bytes.array
        let mixed = BLAKE2s.hash(expected.span.bytes, keyBytes.span.bytes)
        #expect(hash == mixed)
    }

    // From the recorded session of two official clients (shared captures): node-a's initiation to
    // node-b and node-b's response, with the nodes' private keys.
    static let nodeA = storedNodeKey(
        "30540f6cd3c78d74a34020c9a3ee93671c84e93fbef06c78dbef2c54423b755f")
    static let nodeB = storedNodeKey(
        "405631131061c5089a1b50ff6d36e03ced2a429ff32204fe7a38c11b360a3a6b")
    static let initiation = bytes(
        """
        01000000036a61dae0e72d02814a8caaec958b0acae26f878692b43d3ef12ced0964e85df3ce5542d225f086
        884a09ff0d24a2ba028104b2530979cbc7b2e3735259f4804463903de9dd57f3b812fd9ceed78487cb4437b0
        f09a2f7330944f33a5393acfab90ac02423ef73794b9cad737c37ff2497a19887486ca2b83fe766257805deb
        00000000000000000000000000000000
        """)
    static let response = bytes(
        """
        020000001d8f46c6036a61da44bc0122372f6a97af74979dd68250696f46b45224eccf1d8968e0c56261310a
        3902a9b8e806680795089e27283c6bd13cfeba368daa022664af5276a177fe02000000000000000000000000
        00000000
        """)

    @Test func theRecordedInitiationOpensAndNamesItsSender() throws {
        let message = InitiationMessage(Self.initiation.span.bytes)
        guard var received = ReceivedInitiation(message, local: Self.nodeB) else {
            Issue.record("the initiation does not open")
            return
        }
        let remote = received.remoteKey
        #expect(remote == Self.nodeA.publicKey)
        let secret = try #require(Self.nodeB.sharedSecret(with: remote.bytes))
        let opened = received.openTimestamp(message, staticSecret: secret)
        let stamp = try #require(opened)
        // The frame was captured at 1795463723.94.
        #expect(stamp.seconds == 0x4000_0000_0000_000A + 1_795_463_723)
        #expect(stamp.nanoseconds % (1 << 24) == 0)
    }

    @Test func aDeviceAnswersTheRecordedInitiationOnce() throws {
        let network = Network(seed: 1)
        let now = network.now
        var device = WireGuardDevice(privateKey: Self.nodeB, random: SeededRandom(seed: 1))
        let peer = try device.upsertPeer(
            PeerConfiguration(publicKey: Self.nodeA.publicKey), at: now)
        let source = PacketSource.direct(Endpoint("10.99.0.2:41641")!)
        for _ in 0..<2 {
            var message = Self.initiation
            var span = message.mutableSpan
            var bytes = span.mutableBytes
            let result = device.receive(datagram: &bytes, from: source, at: now)
            #expect(result == .handled)
            device.handleTimeout(at: now, civil: Timestamp(unixSeconds: 1_795_463_724))
        }
        let event = device.pollEvent()
        #expect(event == .authenticated(peer, from: source))
        let replays = device.dropCount(.replayedInitiation)
        #expect(replays == 1)
        var slot = [UInt8](repeating: 0, count: 256)
        var span = slot.mutableSpan
        var bytes = span.mutableBytes
        let first = device.pollTransmit(into: &bytes, at: 0, now: now)
        let second = device.pollTransmit(into: &bytes, at: 0, now: now)
        #expect(first?.destination == .reply(peer, to: source))
        #expect(first?.range == 0..<92 && second == nil)
        // Node-a's index, as in the recorded response.
        #expect(Array(slot[8..<12]) == Array(Self.initiation[4..<8]))
        #expect(Array(Self.response[8..<12]) == Array(Self.initiation[4..<8]))
    }

    @Test func theRecordedMessagesCarryTheRightMACs() {
        let forB = CookieChecker(publicKey: Self.nodeB.publicKey)
        let forA = CookieChecker(publicKey: Self.nodeA.publicKey)
        let initiationIsForB = forB.isMAC1Valid(Self.initiation.span.bytes)
        let responseIsForA = forA.isMAC1Valid(Self.response.span.bytes)
        let initiationIsForA = forA.isMAC1Valid(Self.initiation.span.bytes)
        #expect(initiationIsForB && responseIsForA && !initiationIsForA)
    }
}
