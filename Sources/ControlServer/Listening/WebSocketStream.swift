import NIOCore
import NIOHTTP1
import NIOWebSocket

/// The byte stream of DERP in binary messages of a WebSocket (RFC 6455), as clients in browsers have it
/// (data-protocol §4.1): frames of DERP may be split over messages anywhere.
final class WebSocketStream: ChannelDuplexHandler {
    typealias InboundIn = WebSocketFrame
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = WebSocketFrame

    static let subprotocol = "derp"
    /// A message is taken up whole before it goes on.
    private static let frameByteCountMax = 256 << 10

    /// Adds the handlers behind those that are in the pipeline.
    static func add(to pipeline: ChannelPipeline.SynchronousOperations) throws {
        try pipeline.addHandler(WebSocketFrameEncoder())
        try pipeline.addHandler(
            ByteToMessageHandler(WebSocketFrameDecoder(maxFrameSize: frameByteCountMax)))
        try pipeline.addHandler(WebSocketStream())
    }

    /// Whether the request offers the subprotocol.
    static func isOffered(_ headers: HTTPHeaders) -> Bool {
        headers[canonicalForm: "sec-websocket-protocol"].contains { $0 == subprotocol }
    }

    /// The headers of the answer 101; fails when the request is no right one of RFC 6455.
    static func answer(
        _ request: HTTPRequestHead, _ channel: any Channel
    ) -> EventLoopFuture<HTTPHeaders> {
        let upgrader = NIOWebSocketServerUpgrader(
            shouldUpgrade: { channel, _ in
                channel.eventLoop.makeSucceededFuture(["Sec-WebSocket-Protocol": subprotocol])
            },
            upgradePipelineHandler: { channel, _ in channel.eventLoop.makeSucceededVoidFuture() })
        return upgrader.buildUpgradeResponse(
            channel: channel, upgradeRequest: request,
            initialResponseHeaders: HTTPHeaders())
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        switch frame.opcode {
        case .binary, .continuation:
            // Only a client that masks is one (RFC 6455 §5.1).
            guard frame.maskKey != nil else { return context.close(promise: nil) }
            context.fireChannelRead(wrapInboundOut(frame.unmaskedData))
        case .ping:
            let pong = WebSocketFrame(fin: true, opcode: .pong, data: frame.unmaskedData)
            context.writeAndFlush(wrapOutboundOut(pong), promise: nil)
        case .pong: break
        case .connectionClose:
            let farewell = WebSocketFrame(
                fin: true, opcode: .connectionClose, data: frame.unmaskedData)
            context.writeAndFlush(wrapOutboundOut(farewell), promise: nil)
            context.close(promise: nil)
        default: context.close(promise: nil)
        }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let frame = WebSocketFrame(fin: true, opcode: .binary, data: unwrapOutboundIn(data))
        context.write(wrapOutboundOut(frame), promise: promise)
    }
}
