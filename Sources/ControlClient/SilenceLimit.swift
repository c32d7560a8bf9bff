internal import NIOCore
internal import NIOHTTP2

/// Ends a stream on which nothing arrives for too long.
final class SilenceLimit: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame.FramePayload
    typealias InboundOut = HTTP2Frame.FramePayload

    private let limit: TimeAmount
    private var timer: Scheduled<Void>?
    private var lastRead = NIODeadline.now()

    init(_ limit: TimeAmount) { self.limit = limit }

    func handlerAdded(context: ChannelHandlerContext) { schedule(context, in: limit) }

    func handlerRemoved(context: ChannelHandlerContext) { timer?.cancel() }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        lastRead = .now()
        context.fireChannelRead(data)
    }

    private func schedule(_ context: ChannelHandlerContext, in pause: TimeAmount) {
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: pause) {
            let left = self.lastRead + self.limit - .now()
            if left > .zero {
                self.schedule(context, in: left)
            } else {
                let limit = Duration.nanoseconds(self.limit.nanoseconds)
                context.fireErrorCaught(ControlClientError.mapStreamSilent(after: limit))
                context.close(promise: nil)
            }
        }
    }
}
