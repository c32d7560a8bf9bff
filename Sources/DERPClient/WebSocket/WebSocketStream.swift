internal import CryptoPrimitives
package import NIOCore
package import NIOHTTP1
package import NIOWebSocket

/// A byte stream in binary messages of a WebSocket (RFC 6455), as clients have it in browsers and behind
/// proxies that know of no other upgrade: that of DERP (data-protocol §4.1), or of a control channel
/// (control protocol §3.1). It may be split over messages anywhere.
package final class WebSocketStream: ChannelDuplexHandler {
    package typealias InboundIn = WebSocketFrame
    package typealias InboundOut = ByteBuffer
    package typealias OutboundIn = ByteBuffer
    package typealias OutboundOut = WebSocketFrame

    /// Clients mask what they send, servers do not; the other way round it is no WebSocket (RFC 6455
    /// §5.1).
    package enum Side: Sendable { case client, server }

    package static let subprotocol = "derp"
    /// A message is taken up whole before it goes on. Relays may write many frames of DERP at once.
    private static func frameByteCountMax(_ side: Side) -> Int {
        side == .server ? 256 << 10 : 2 << 20
    }

    private let side: Side
    private var random = SecureRandom()

    private init(_ side: Side) { self.side = side }

    /// Adds the handlers at `position`, or behind those that are in the pipeline.
    package static func add(
        _ side: Side, to pipeline: ChannelPipeline.SynchronousOperations,
        position: ChannelPipeline.SynchronousOperations.Position = .last
    ) throws {
        try pipeline.addHandlers(
            [
                WebSocketFrameEncoder(),
                ByteToMessageHandler(
                    WebSocketFrameDecoder(maxFrameSize: frameByteCountMax(side))),
                WebSocketStream(side),
            ], position: position)
    }

    /// Whether the request offers the subprotocol.
    package static func isOffered(
        _ headers: HTTPHeaders, subprotocol: String = subprotocol
    ) -> Bool {
        headers[canonicalForm: "sec-websocket-protocol"].contains { $0 == subprotocol }
    }

    /// The headers of the answer 101; fails when the request is no right one of RFC 6455.
    package static func answer(
        _ request: HTTPRequestHead, _ channel: any Channel, subprotocol: String = subprotocol
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

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        switch frame.opcode {
        case .binary, .continuation:
            guard (frame.maskKey != nil) == (side == .server) else {
                return context.close(promise: nil)
            }
            context.fireChannelRead(wrapInboundOut(frame.unmaskedData))
        case .ping:
            context.writeAndFlush(own(.pong, frame.unmaskedData), promise: nil)
        case .pong: break
        case .connectionClose:
            context.writeAndFlush(own(.connectionClose, frame.unmaskedData), promise: nil)
            context.close(promise: nil)
        default: context.close(promise: nil)
        }
    }

    package func write(
        context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?
    ) {
        context.write(own(.binary, unwrapOutboundIn(data)), promise: promise)
    }

    private func own(_ opcode: WebSocketOpcode, _ data: ByteBuffer) -> NIOAny {
        let mask = side == .client ? WebSocketMaskingKey.random(using: &random) : nil
        return wrapOutboundOut(
            WebSocketFrame(fin: true, opcode: opcode, maskKey: mask, data: data))
    }
}
