import CryptoPrimitives
import NIOCore
import NIOEmbedded
import NIOHPACK
import NIOHTTP1
import NIOHTTP2
import NetTypes
import Noise

@testable import ControlTransport

/// A client's and a server's channel, joined by hand.
final class TransportPair {
    let client = EmbeddedChannel()
    let server = EmbeddedChannel()
    let serverKey = PrivateKey<MachineKind>()
    let machineKey = PrivateKey<MachineKind>()
    let opened: EventLoopPromise<NIOHTTP2Handler.StreamMultiplexer>
    /// What became of `opened`, once that is known.
    private(set) var outcome: Result<NIOHTTP2Handler.StreamMultiplexer, any Error>?
    /// The longest piece in which bytes travel.
    var pieceLength = Int.max

    init(version: UInt16 = 113, expecting key: MachineKey? = nil) throws {
        opened = client.eventLoop.makePromise()
        try client.pipeline.syncOperations.addControlClient(
            ControlDialParameters(
                host: "mesh.example.org", version: version, machineKey: machineKey,
                serverKey: key ?? serverKey.publicKey),
            opened: opened)
        opened.futureResult.assumeIsolated().whenComplete { self.outcome = $0 }
        try client.connect(to: SocketAddress(ipAddress: "192.0.2.1", port: 80)).wait()
        try server.connect(to: SocketAddress(ipAddress: "192.0.2.2", port: 9)).wait()
    }

    var error: ControlTransportError? {
        if case .failure(let error) = outcome { error as? ControlTransportError } else { nil }
    }

    /// The text of the upgrade request.
    func request() throws -> String {
        var text = ""
        while let bytes = try client.readOutbound(as: ByteBuffer.self) {
            text += String(buffer: bytes)
        }
        return text
    }

    func initiation(in request: String) -> [UInt8] {
        let line = request.split(separator: "\r\n").first {
            $0.hasPrefix("X-Tailscale-Handshake: ")
        }
        return line.flatMap { Base64.decode($0.dropFirst("X-Tailscale-Handshake: ".count)) } ?? []
    }

    static let switching =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: tailscale-control-protocol\r\nConnection: upgrade\r\n\r\n"

    /// Plays the server's part of the upgrade; its streams echo what they are sent.
    func accept() throws {
        let initiation = try ControlOpening(
            initiation(in: request()), serverKey: serverKey)
        try server.writeOutbound(ByteBuffer(string: Self.switching))
        try server.pipeline.syncOperations.addControlServer(initiation) { stream in
            stream.eventLoop.makeCompletedFuture {
                try stream.pipeline.syncOperations.addHandler(Echo())
            }
        }
    }

    /// Carries bytes both ways until none are left.
    func run() throws {
        var isMoving = true
        while isMoving {
            isMoving = try move(from: client, to: server)
            isMoving = try move(from: server, to: client) || isMoving
            client.embeddedEventLoop.run()
            server.embeddedEventLoop.run()
        }
    }

    func take(from channel: EmbeddedChannel) throws -> ByteBuffer {
        var bytes = ByteBuffer()
        while var part = try channel.readOutbound(as: ByteBuffer.self) { bytes.writeBuffer(&part) }
        return bytes
    }

    private func move(from: EmbeddedChannel, to: EmbeddedChannel) throws -> Bool {
        var bytes = try take(from: from)
        guard bytes.readableBytes > 0 else { return false }
        while bytes.readableBytes > 0 {
            let count = min(pieceLength, bytes.readableBytes)
            guard let piece = bytes.readSlice(length: count) else { break }
            try to.writeInbound(piece)
        }
        return true
    }

    /// Opens a stream that stays open; false when that fails.
    func open() throws -> Bool {
        guard case .success(let multiplexer) = outcome else { return false }
        let stream = multiplexer.createStreamChannel { $0.eventLoop.makeSucceededVoidFuture() }
        stream.assumeIsolated().whenSuccess { channel in
            let headers = HPACKHeaders([
                (":method", "POST"), (":scheme", "https"), (":path", "/machine/map"),
                (":authority", "mesh.example.org"),
            ])
            channel.writeAndFlush(
                HTTP2Frame.FramePayload.headers(.init(headers: headers)), promise: nil)
        }
        client.embeddedEventLoop.run()
        try run()
        return true
    }

    /// Sends `body` on a new stream and returns what came back.
    func echo(_ body: [UInt8]) throws -> [UInt8] {
        guard case .success(let multiplexer) = outcome else { return [] }
        let collector = Collector()
        let stream = multiplexer.createStreamChannel { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(collector)
            }
        }
        stream.assumeIsolated().whenSuccess { channel in
            let headers = HPACKHeaders([
                (":method", "POST"), (":scheme", "https"), (":path", "/machine/map"),
                (":authority", "mesh.example.org"),
            ])
            channel.write(HTTP2Frame.FramePayload.headers(.init(headers: headers)), promise: nil)
            let data = HTTP2Frame.FramePayload.data(
                .init(data: .byteBuffer(ByteBuffer(bytes: body)), endStream: true))
            channel.writeAndFlush(data, promise: nil)
        }
        client.embeddedEventLoop.run()
        try run()
        return collector.bytes
    }
}

private final class Echo: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame.FramePayload
    typealias OutboundOut = HTTP2Frame.FramePayload

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .headers:
            let headers = HPACKHeaders([(":status", "200")])
            context.writeAndFlush(wrapOutboundOut(.headers(.init(headers: headers))), promise: nil)
        case .data(let data): context.writeAndFlush(wrapOutboundOut(.data(data)), promise: nil)
        default: break
        }
    }
}

// Unchecked: both ends of the test run on the thread of the test.
private final class Collector: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = HTTP2Frame.FramePayload
    var bytes: [UInt8] = []

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .data(let data) = unwrapInboundIn(data), case .byteBuffer(let buffer) = data.data {
            bytes += buffer.readableBytesView
        }
    }
}
