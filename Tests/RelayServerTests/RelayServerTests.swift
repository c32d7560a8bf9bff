import CryptoPrimitives
import DERP
import NIOCore
import NetTypes
import RelayCore
import RelayServer
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1))) struct RelayServerTests {
    @Test func theServersKeyComesFirstAndAPipelinedLoginWorks() async throws {
        let relay = try await BareRelay()
        let client = try await RawClient(relay)
        // As after a fast start: everything at once, without waiting for the key or the answer.
        var bytes = try client.loginFrame(to: relay.server.publicKey)
        bytes += ClientMessage.notePreferred(true).frame
        bytes += ClientMessage.ping(77).frame
        bytes += sendPacket([1, 2, 3], to: client.key.publicKey)
        client.send(bytes)
        try await eventually("all answers") { client.frames.count == 4 }
        let frames = client.frames
        let payload = frames[0].payload
        let key = try ServerKeyFrame.parse(payload.span.bytes)
        #expect(key == relay.server.publicKey)
        #expect(frames.map(\.type) == [.serverKey, .serverInfo, .pong, .receivePacket])
        #expect(frames[3].payload == client.key.publicKey.bytes.array + [1, 2, 3])
        try await client.close()
        try await eventually("forgotten") { relay.server.connectionCount == 0 }
        try await relay.stop()
    }

    @Test func aLoginThatDoesNotComeIsNotAwaitedForLong() async throws {
        var configuration = RelayServer.Configuration()
        configuration.loginTimeout = .milliseconds(50)
        configuration.loginsMax = 1
        let relay = try await BareRelay(configuration: configuration)
        let silent = try await RawClient(relay)
        try await eventually("closed") { silent.isClosed }
        // Byte by byte is as good as silence. The first one has given up its place.
        let slow = try await RawClient(relay)
        let login = try slow.loginFrame(to: relay.server.publicKey)
        for byte in login.prefix(20) { slow.send([byte]) }
        try await eventually("closed too") { slow.isClosed }
        #expect(relay.server.connectionCount == 0)
        try await relay.stop()
    }

    @Test func hostileBytesCloseTheConnectionAndNothingElse() async throws {
        let relay = try await BareRelay()
        let witness = try await RawClient(relay)
        try await witness.logIn(relay)
        var long: [UInt8] = []
        long.appendFrameHeader(.clientInfo, payloadByteCount: 300_000)
        var early = sendPacket([1], to: witness.key.publicKey)
        early += early
        var forged = try RawClient.forgedLogin(to: relay.server.publicKey)
        let beforeLogin: [[UInt8]] = [
            Array("GET / HTTP/1.1\r\n\r\n".utf8), long, early, forged,
            [UInt8](repeating: 0xFF, count: 100), [0x02, 0, 0, 0, 1, 0],
        ]
        for bytes in beforeLogin {
            let client = try await RawClient(relay)
            client.send(bytes)
            try await eventually("closed") { client.isClosed }
        }
        forged = []
        forged.appendFrameHeader(.sendPacket, payloadByteCount: 65_569)
        let afterLogin: [[UInt8]] = [
            forged, [0x04, 0, 0, 0, 31] + [UInt8](repeating: 0, count: 31), [0x07, 0, 0, 0, 0],
            [0x12, 0, 0, 0, 7] + [UInt8](repeating: 0, count: 7),
            // What only relays of the region may do.
            ClientMessage.watchConnections.frame,
            ClientMessage.closePeer(witness.key.publicKey).frame,
            [0x0A, 0, 0, 0, 65] + witness.key.publicKey.bytes.array
                + witness.key.publicKey.bytes.array + [1],
        ]
        for bytes in afterLogin {
            let client = try await RawClient(relay)
            try await client.logIn(relay)
            client.send(bytes)
            try await eventually("closed") { client.isClosed }
        }
        // Unknown and unexpected frames are skipped.
        var odd: [UInt8] = []
        odd.appendFrame(FrameType(rawValue: 0x7E), [1, 2, 3])
        odd.appendFrame(.receivePacket, [UInt8](repeating: 0, count: 40))
        witness.send(odd + ClientMessage.ping(5).frame)
        try await eventually("still served") { witness.frames.contains { $0.type == .pong } }
        #expect(relay.server.connectionCount == 1)
        try await relay.stop()
    }

    @Test func whoIsNotAdmittedIsClosed() async throws {
        let asked = Mutex<[NodeKey]>([])
        let relay = try await BareRelay { key, address in
            asked.withLock { $0.append(key) }
            return address == .v6(.loopback)
        }
        let client = try await RawClient(relay)
        client.send(try client.loginFrame(to: relay.server.publicKey))
        try await eventually("closed") { client.isClosed }
        #expect(asked.withLock { $0 } == [client.key.publicKey])
        #expect(client.frames.map(\.type) == [.serverKey])
        #expect(relay.server.connectionCount == 0)
        try await relay.stop()
    }

    @Test func aNodeThatIsRemovedIsDisconnected() async throws {
        let relay = try await BareRelay()
        let client = try await RawClient(relay)
        try await client.logIn(relay)
        relay.server.disconnect(NodeKey.zero)
        relay.server.disconnect(client.key.publicKey)
        try await eventually("closed") { client.isClosed }
        try await relay.stop()
    }

    @Test func aReaderThatStopsCostsBoundedMemoryAndIsClosedInTheEnd() async throws {
        var configuration = RelayServer.Configuration()
        configuration.relay.writeStallMax = .seconds(2)
        configuration.tick = .milliseconds(50)
        let relay = try await BareRelay(configuration: configuration)
        let slow = try await RawClient(relay)
        let sender = try await RawClient(relay)
        try await slow.logIn(relay)
        try await sender.logIn(relay)
        try await slow.setReading(false)
        let burst = (0..<200).flatMap { _ in
            sendPacket([UInt8](repeating: 1, count: 1_400), to: slow.key.publicKey)
        }
        var rounds = 0
        while relay.server.statistics[.queueFull] == 0, rounds < 200 {
            rounds += 1
            let done = UInt64(rounds * 200)
            sender.send(burst)
            try await eventually("taken") { relay.server.statistics.packetsReceived >= done }
        }
        #expect(relay.server.statistics[.queueFull] > 0)
        #expect(relay.server.queuedBytes <= 512 << 10)
        // The sender is served all the time.
        sender.send(ClientMessage.ping(1).frame)
        try await eventually("pong") { sender.frames.contains { $0.type == .pong } }
        try await eventually("closed") { relay.server.connectionCount == 1 }
        #expect(relay.server.statistics.slowConnectionsClosed == 1)
        #expect(relay.server.queuedBytes == 0)
        try await relay.stop()
    }

    @Test func aRestartIsAnnounced() async throws {
        let relay = try await BareRelay()
        let client = try await RawClient(relay)
        try await client.logIn(relay)
        try await relay.stop()
        try await eventually("closed") { client.isClosed }
        #expect(client.frames.last?.type == .restarting)
    }
}

extension RawClient {
    /// A login that claims another key than the one that sealed it.
    static func forgedLogin(to relay: RelayKey) throws -> [UInt8] {
        var random = SecureRandom()
        var frame = try ClientInfo().frame(
            from: PrivateKey<NodeKind>(), to: relay, random: &random)
        frame.replaceSubrange(5..<37, with: PrivateKey<NodeKind>().publicKey.bytes.array)
        return frame
    }
}
