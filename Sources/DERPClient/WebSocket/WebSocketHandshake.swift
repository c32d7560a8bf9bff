internal import CryptoPrimitives
internal import DERP
internal import NIOCore
internal import NIOHTTP1
internal import NIOWebSocket

/// Asks a relay for a WebSocket; once it has one, what lies behind in the pipeline sees the bytes of
/// DERP. Errors go down the pipeline.
final class WebSocketHandshake: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// The server answers, but has not read the key it was sent (RFC 6455 §4.1).
    struct WrongAnswer: Error, CustomStringConvertible {
        var description: String { "the answer to the WebSocket handshake belongs to another" }
    }

    private var request: UpgradeRequest
    private var parser = UpgradeResponseParser(for: .webSocket)
    private let upgrader: NIOWebSocketClientUpgrader

    init(_ request: UpgradeRequest) {
        var random = SecureRandom()
        let key = NIOWebSocketClientUpgrader.randomRequestKey(using: &random)
        upgrader = NIOWebSocketClientUpgrader(requestKey: key) { channel, _ in
            channel.eventLoop.makeSucceededVoidFuture()
        }
        self.request = request
        self.request.webSocketKey = key
    }

    func handlerAdded(context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: request.bytes)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = unwrapInboundIn(data)
        var offset = 0
        do {
            guard try parser.read(buffer.readableBytesSpan, from: &offset) else { return }
            let answer = HTTPResponseHead(
                version: .http1_1, status: .switchingProtocols,
                headers: ["Sec-WebSocket-Accept": parser.webSocketAccept])
            guard upgrader.shouldAllowUpgrade(upgradeResponse: answer) else { throw WrongAnswer() }
            let pipeline = context.pipeline.syncOperations
            try WebSocketStream.add(.client, to: pipeline, position: .after(self))
        } catch {
            context.fireErrorCaught(error)
            return
        }
        buffer.moveReaderIndex(forwardBy: offset)
        if buffer.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(buffer)) }
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }
}
