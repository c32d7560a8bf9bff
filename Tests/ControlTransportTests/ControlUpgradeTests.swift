import CryptoPrimitives
import NIOCore
import NIOEmbedded
import NetTypes
import Noise
import Testing

@testable import ControlTransport

@Suite struct ControlUpgradeTests {
    @Test("A request and its answer pass however the bytes are cut", arguments: [1, 7, 4096, .max])
    func fragmented(pieceLength: Int) throws {
        let pair = try TransportPair()
        pair.pieceLength = pieceLength
        try pair.accept()
        try pair.run()
        let body = (0..<20_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        #expect(try pair.echo(body) == body)
    }

    @Test("The upgrade asks in the words of the protocol")
    func requestText() throws {
        let pair = try TransportPair()
        let request = try pair.request()
        #expect(request.hasPrefix("POST /ts2021 HTTP/1.1\r\n"))
        #expect(request.contains("Host: mesh.example.org\r\n"))
        #expect(request.contains("Upgrade: tailscale-control-protocol\r\n"))
        #expect(request.contains("Connection: upgrade\r\n"))
        #expect(pair.initiation(in: request).count == 101)
    }

    @Test("The server learns the machine key and the version")
    func identity() throws {
        let pair = try TransportPair(version: 131)
        let accepted = try ControlOpening(
            pair.initiation(in: pair.request()), serverKey: pair.serverKey)
        let key = accepted.machineKey
        let version = accepted.version
        #expect(key == pair.machineKey.publicKey)
        #expect(version == 131)
    }

    @Test("A client that no longer answers is dropped, one that does is kept")
    func vanishedClient() throws {
        let pair = try TransportPair()
        try pair.accept()
        try pair.run()
        #expect(try pair.open())
        for _ in 0..<20 {
            pair.server.embeddedEventLoop.advanceTime(by: .seconds(111))
            try pair.run()
        }
        #expect(pair.server.isActive)
        pair.server.embeddedEventLoop.advanceTime(by: .seconds(111))
        pair.server.embeddedEventLoop.advanceTime(by: .seconds(16))
        #expect(!pair.server.isActive)
    }

    @Test("Doubts about a connection are settled in the time they give, however often they come")
    func probes() throws {
        let pair = try TransportPair()
        try pair.accept()
        try pair.run()
        #expect(try pair.open())
        let loop = pair.server.embeddedEventLoop
        func doubt() {
            pair.server.pipeline.fireUserInboundEventTriggered(
                ConnectionWatch.Probe(answerWithin: .seconds(5)))
        }
        doubt()
        try pair.run()
        loop.advanceTime(by: .seconds(10))
        #expect(pair.server.isActive)
        for _ in 0..<5 {
            doubt()
            loop.advanceTime(by: .seconds(2))
        }
        #expect(!pair.server.isActive)
    }

    @Test("A connection without requests is not kept")
    func idle() throws {
        let pair = try TransportPair()
        try pair.accept()
        try pair.run()
        for _ in 0..<10 {
            pair.server.embeddedEventLoop.advanceTime(by: .seconds(40))
            try pair.run()
        }
        #expect(!pair.server.isActive)
    }

    @Test("Clients older than the early payload get none")
    func noEarlyPayload() throws {
        let pair = try TransportPair(version: 48)
        try pair.accept()
        try pair.run()
        #expect(try pair.echo([1, 2, 3]) == [1, 2, 3])
    }

    @Test("A refusal is reported with its status and the beginning of its text")
    func refused() throws {
        let pair = try TransportPair()
        _ = try pair.request()
        let text = "nothing here\u{1B}" + String(repeating: "x", count: 1000)
        try pair.client.writeInbound(
            ByteBuffer(
                string: "HTTP/1.1 404 Not Found\r\nContent-Length: \(text.utf8.count)\r\n\r\n")
        )
        try pair.client.writeInbound(ByteBuffer(string: text))
        guard case .upgradeRefused(404, let shown)? = pair.error else {
            Issue.record("\(String(describing: pair.error))")
            return
        }
        #expect(shown.hasPrefix("nothing here xxx"))
        #expect(shown.count == 200)
    }

    @Test("A switch to another protocol is refused")
    func otherProtocol() throws {
        let pair = try TransportPair()
        try pair.client.writeInbound(
            ByteBuffer(
                string:
                    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"
            ))
        #expect(pair.error == .upgradedToOtherProtocol("websocket"))
    }

    @Test("An answer that is no HTTP is refused")
    func notHTTP() throws {
        let pair = try TransportPair()
        _ = try? pair.client.writeInbound(ByteBuffer(bytes: [0x15, 3, 3, 0, 2, 2, 70, 10, 10]))
        #expect(pair.error == .notHTTP)
    }

    @Test("An error frame in place of the response is shown")
    func errorFrame() throws {
        let pair = try TransportPair()
        let frame = ControlFrame.error("go away").encoded
        _ = try? pair.client.writeInbound(ByteBuffer(string: TransportPair.switching))
        pair.client.embeddedEventLoop.run()
        _ = try? pair.client.writeInbound(ByteBuffer(bytes: frame))
        #expect(pair.error == .handshake(.refused("go away")))
    }

    @Test("A server with another key is not believed")
    func wrongKey() throws {
        let pair = try TransportPair(expecting: PrivateKey<MachineKind>().publicKey)
        let message = pair.initiation(in: try pair.request())
        #expect(throws: ControlOpeningError.self) {
            _ = try ControlOpening(message, serverKey: pair.serverKey)
        }
        var response: [UInt8] = [2, 0, 48]
        response += [UInt8](repeating: 9, count: 48)
        _ = try? pair.client.writeInbound(ByteBuffer(string: TransportPair.switching))
        pair.client.embeddedEventLoop.run()
        _ = try? pair.client.writeInbound(ByteBuffer(bytes: response))
        #expect(pair.error == .handshake(.notAuthentic))
    }

    @Test("A connection that ends in the handshake fails the opening")
    func closedEarly() throws {
        let pair = try TransportPair()
        try pair.client.writeInbound(ByteBuffer(string: TransportPair.switching))
        _ = try? pair.client.finish()
        #expect(pair.error == .closedDuringHandshake)
    }

    @Test("A frame longer than the protocol allows ends the connection")
    func oversizedFrame() throws {
        let pair = try TransportPair()
        try pair.accept()
        try pair.run()
        #expect(throws: ControlTransportError.framing(.oversized(length: 4094))) {
            try pair.client.writeInbound(ByteBuffer(bytes: [4, 0x0F, 0xFE]))
        }
        #expect(!pair.client.isActive)
    }

    @Test("A record that was changed on the way ends the connection")
    func changedRecord() throws {
        let pair = try TransportPair()
        try pair.accept()
        try pair.run()
        try pair.server.writeInbound(
            ByteBuffer(bytes: [4, 0, 20] + [UInt8](repeating: 1, count: 20)))
        #expect(!pair.server.isActive)
    }

    @Test("A record shorter than its tag ends the connection")
    func shortRecord() throws {
        let pair = try TransportPair()
        try pair.accept()
        try pair.run()
        try pair.server.writeInbound(ByteBuffer(bytes: [4, 0, 3, 1, 2, 3]))
        #expect(!pair.server.isActive)
    }
}

@Suite struct NoiseHandlerTests {
    /// A handler with an open session on each side.
    private func sessions() throws -> (EmbeddedChannel, EmbeddedChannel) {
        var random = SecureRandom()
        let serverKey = PrivateKey<MachineKind>()
        let initiator = try ControlInitiator(
            version: 113, machineKey: PrivateKey(), serverKey: serverKey.publicKey,
            random: &random)
        let message = initiator.initiation
        let client = EmbeddedChannel()
        let server = EmbeddedChannel()
        try client.pipeline.syncOperations.addHandler(
            NoiseHandler(initiator: initiator, opened: { _ in }, failed: { _ in }))
        let responder = try ControlOpening(message, serverKey: serverKey).takeResponder()
        try server.pipeline.syncOperations.addHandler(
            NoiseHandler(
                responder: responder, earlyPayload: [], opened: { _ in }, failed: { _ in }))
        while let bytes = try server.readOutbound(as: ByteBuffer.self) {
            try client.writeInbound(bytes)
        }
        return (client, server)
    }

    @Test("What is written between two flushes leaves as one buffer of full records")
    func batching() throws {
        let (client, server) = try sessions()
        var completed = 0
        for _ in 0..<100 {
            let promise = client.eventLoop.makePromise(of: Void.self)
            promise.futureResult.assumeIsolated().whenSuccess { completed += 1 }
            client.write(
                IOData.byteBuffer(ByteBuffer(bytes: [UInt8](repeating: 7, count: 90))),
                promise: promise)
        }
        #expect(try client.readOutbound(as: ByteBuffer.self) == nil)
        client.flush()
        let first = try #require(try client.readOutbound(as: ByteBuffer.self))
        #expect(try client.readOutbound(as: ByteBuffer.self) == nil)
        #expect(completed == 100)
        // 9000 bytes: two full records and one of 846.
        #expect(first.readableBytes == 9000 + 3 * 19)
        try server.writeInbound(first)
        let text = try #require(try server.readInbound(as: ByteBuffer.self))
        #expect(text.readableBytes == 9000)
    }

    @Test("Writes that never left fail when the channel closes")
    func unsentWrites() throws {
        let (client, _) = try sessions()
        let promise = client.eventLoop.makePromise(of: Void.self)
        client.write(IOData.byteBuffer(ByteBuffer(bytes: [1])), promise: promise)
        _ = try client.finish(acceptAlreadyClosed: true)
        #expect(throws: ChannelError.ioOnClosedChannel) { try promise.futureResult.wait() }
    }
}

@Suite struct EarlyPayloadTests {
    @Test("The payload is taken out wherever the stream is cut")
    func everySplit() throws {
        let payload = EarlyPayload.encode(challenge: PrivateKey<ChallengeKind>().publicKey)
        let rest: [UInt8] = [0, 0, 6, 4, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6]
        let stream = payload + rest
        for cut in 0...stream.count {
            var remover = EarlyPayload.Remover()
            var out = ByteBuffer()
            for part in [stream[..<cut], stream[cut...]] {
                var bytes = try remover.remove(from: ByteBuffer(bytes: part))
                out.writeBuffer(&bytes)
            }
            #expect(Array(out.readableBytesView) == rest)
        }
    }

    @Test("A stream without a payload passes unchanged")
    func noPayload() throws {
        let stream: [UInt8] = [0, 0, 6, 4, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6]
        for cut in 0...stream.count {
            var remover = EarlyPayload.Remover()
            var out = try remover.remove(from: ByteBuffer(bytes: stream[..<cut]))
            var tail = try remover.remove(from: ByteBuffer(bytes: stream[cut...]))
            out.writeBuffer(&tail)
            #expect(Array(out.readableBytesView) == stream)
        }
    }

    @Test("A payload without end is refused")
    func tooLarge() {
        var remover = EarlyPayload.Remover()
        #expect(throws: ControlTransportError.earlyPayloadTooLarge(0x7FFF_FFFF)) {
            _ = try remover.remove(
                from: ByteBuffer(bytes: EarlyPayload.mark + [0x7F, 0xFF, 0xFF, 0xFF]))
        }
    }
}

@Suite struct Base64Tests {
    @Test(
        "The vectors of RFC 4648 §10",
        arguments: [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
        ])
    func vectors(plain: String, coded: String) {
        #expect(Base64.encode(Array(plain.utf8)) == coded)
        #expect(Base64.decode(coded) == Array(plain.utf8))
    }

    @Test(
        "What is no base64 is refused",
        arguments: ["Z", "Zg=", "Z===", "Zg==Zg==", "Zm 9v", "Zm9_"])
    func refused(text: String) { #expect(Base64.decode(text) == nil) }
}
