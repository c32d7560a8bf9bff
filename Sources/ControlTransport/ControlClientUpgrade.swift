package import CryptoPrimitives
package import NIOCore
internal import NIOHTTP1
package import NIOHTTP2
package import NetTypes
internal import Noise

/// What a client needs to open a control channel.
package struct ControlDialParameters: Sendable {
    /// The `Host` header.
    package var host: String
    /// The capability version, which the handshake authenticates.
    package var version: UInt16
    package var machineKey: PrivateKey<MachineKind>
    package var serverKey: MachineKey

    package init(
        host: String, version: UInt16, machineKey: PrivateKey<MachineKind>, serverKey: MachineKey
    ) {
        self.host = host
        self.version = version
        self.machineKey = machineKey
        self.serverKey = serverKey
    }
}

extension ChannelPipeline.SynchronousOperations {
    /// Makes a connected channel (or one about to be) a control channel: upgrade, Noise, HTTP/2.
    ///
    /// `opened` succeeds when requests can be made, and fails with a `ControlTransportError`; the
    /// channel is closed then.
    package func addControlClient(
        _ parameters: ControlDialParameters,
        opened: EventLoopPromise<NIOHTTP2Handler.StreamMultiplexer>
    ) throws {
        var random = SecureRandom()
        let initiator: ControlInitiator
        do throws(ControlHandshakeError) {
            initiator = try ControlInitiator(
                version: parameters.version, machineKey: parameters.machineKey,
                serverKey: parameters.serverKey, random: &random)
        } catch {
            throw ControlTransportError.handshake(error)
        }
        let encoder = HTTPRequestEncoder()
        let decoder = ByteToMessageHandler(
            HTTPResponseDecoder(leftOverBytesStrategy: .forwardBytes))
        try addHandler(encoder)
        try addHandler(decoder)
        try addHandler(
            ControlClientUpgradeHandler(
                host: parameters.host, initiator: initiator, http: (encoder, decoder),
                opened: opened))
    }
}

/// Asks for the upgrade and, once the server agrees, gives the channel to Noise.
private final class ControlClientUpgradeHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    /// What of a refusal's text is kept.
    private static let textLimit = 200

    private let host: String
    private var initiator: ControlInitiator?
    private let encoder: HTTPRequestEncoder
    private let decoder: ByteToMessageHandler<HTTPResponseDecoder>
    private let opened: EventLoopPromise<NIOHTTP2Handler.StreamMultiplexer>

    private var isSent = false
    private var isAccepted = false
    private var isDone = false
    /// Bytes behind the 101, while HTTP leaves the channel.
    private var held: [NIOAny]?
    private var refusal: (status: Int, text: [UInt8])?

    init(
        host: String, initiator: consuming ControlInitiator,
        http: (HTTPRequestEncoder, ByteToMessageHandler<HTTPResponseDecoder>),
        opened: EventLoopPromise<NIOHTTP2Handler.StreamMultiplexer>
    ) {
        self.host = host
        self.initiator = consume initiator
        (encoder, decoder) = http
        self.opened = opened
    }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { send(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        send(context)
        context.fireChannelActive()
    }

    private func send(_ context: ChannelHandlerContext) {
        guard !isSent else { return }
        isSent = true
        let initiation = initiator?.initiation ?? []
        let head = HTTPRequestHead(
            version: .http1_1, method: .POST, uri: ControlUpgrade.path,
            headers: [
                "Host": host, "Upgrade": ControlUpgrade.protocolName, "Connection": "upgrade",
                ControlUpgrade.handshakeHeader: Base64.encode(initiation), "Content-Length": "0",
            ])
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard held == nil else {
            held?.append(data)
            return
        }
        guard !isDone else { return }
        switch unwrapInboundIn(data) {
        case .head(let head) where head.status == .switchingProtocols:
            let offered = head.headers.first(name: "Upgrade") ?? ""
            guard offered.lowercased() == ControlUpgrade.protocolName else {
                fail(.upgradedToOtherProtocol(String(offered.prefix(64))), context)
                return
            }
            isAccepted = true
        case .head(let head): refusal = (Int(head.status.code), [])
        case .body(let body):
            let room = Self.textLimit - (refusal?.text.count ?? 0)
            refusal?.text += body.readableBytesView.prefix(room)
        case .end: isAccepted ? leaveHTTP(context) : finishRefusal(context)
        }
    }

    private func finishRefusal(_ context: ChannelHandlerContext) {
        guard let refusal else { return }
        fail(
            .upgradeRefused(
                status: refusal.status, text: printable(refusal.text, limit: Self.textLimit)),
            context)
    }

    /// Takes HTTP out of the channel. The decoder hands over the bytes behind the 101 while it goes,
    /// and must be gone before anything is written, so they are held until then.
    private func leaveHTTP(_ context: ChannelHandlerContext) {
        isDone = true
        held = []
        let pipeline = context.pipeline.syncOperations
        pipeline.removeHandler(encoder, promise: nil)
        pipeline.removeHandler(decoder).assumeIsolated().whenComplete { _ in
            self.startNoise(context)
        }
    }

    private func startNoise(_ context: ChannelHandlerContext) {
        guard let initiator = initiator.take(), context.channel.isActive else {
            opened.fail(ControlTransportError.closedDuringHandshake)
            return
        }
        let opened = opened
        let pipeline = context.pipeline.syncOperations
        do {
            try pipeline.addHandler(
                NoiseHandler(
                    initiator: initiator,
                    opened: { context in
                        let handler = NIOHTTP2Handler(
                            mode: .client, eventLoop: context.eventLoop,
                            connectionConfiguration: ControlHTTP2.client.connection,
                            streamConfiguration: ControlHTTP2.client.stream,
                            inboundStreamInitializer: { $0.close() })
                        try context.pipeline.syncOperations.addHandler(handler)
                        opened.succeed(try handler.syncMultiplexer())
                    },
                    failed: { opened.fail($0) }))
        } catch {
            opened.fail(error)
            context.close(promise: nil)
            return
        }
        for data in held ?? [] { context.fireChannelRead(data) }
        pipeline.removeHandler(context: context, promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        if refusal != nil { finishRefusal(context) }
        if !isDone { fail(.closedDuringHandshake, context) }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard !isDone else {
            context.fireErrorCaught(error)
            return
        }
        isDone = true
        opened.fail(error is HTTPParserError ? ControlTransportError.notHTTP : error)
        context.close(promise: nil)
    }

    private func fail(_ error: ControlTransportError, _ context: ChannelHandlerContext) {
        guard !isDone else { return }
        isDone = true
        opened.fail(error)
        context.close(promise: nil)
    }
}

/// Text from an unknown sender, cut and without control characters.
package func printable(_ bytes: some Sequence<UInt8>, limit: Int) -> String {
    var text = ""
    for scalar in String(decoding: Array(bytes.prefix(limit * 4)), as: UTF8.self).unicodeScalars {
        guard text.unicodeScalars.count < limit else { break }
        let isControl = scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value)
        text.unicodeScalars.append(isControl ? " " : scalar)
    }
    return text
}
