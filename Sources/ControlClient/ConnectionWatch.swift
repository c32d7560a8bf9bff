internal import NIOCore
internal import NIOHTTP2

/// Notices a dead server: after a silence it sends an HTTP/2 PING, and closes the connection when
/// nothing at all comes back.
///
/// It stands behind the HTTP/2 handler and sees the frames of the connection itself. Those of
/// streams it cannot see, so that an answer to its PING is what counts as a sign of life.
final class ConnectionWatch: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame
    typealias OutboundOut = HTTP2Frame

    /// A user event that asks for a PING at once.
    struct Probe: Sendable {}

    private let pingAfter: TimeAmount
    private let answerWithin: TimeAmount
    private var timer: Scheduled<Void>?

    init(pingAfter: TimeAmount, answerWithin: TimeAmount) {
        self.pingAfter = pingAfter
        self.answerWithin = answerWithin
    }

    func handlerAdded(context: ChannelHandlerContext) { restart(context) }

    func handlerRemoved(context: ChannelHandlerContext) { timer?.cancel() }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data).payload {
        case .ping(_, ack: true): restart(context)
        // Requests under way may finish; new ones need another connection.
        case .goAway: context.close(promise: nil)
        default: break
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is Probe {
            timer?.cancel()
            ping(context)
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func restart(_ context: ChannelHandlerContext) {
        timer?.cancel()
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: pingAfter) {
            self.ping(context)
        }
    }

    private func ping(_ context: ChannelHandlerContext) {
        let frame = HTTP2Frame(
            streamID: .rootStream, payload: .ping(HTTP2PingData(withInteger: 0), ack: false))
        context.writeAndFlush(wrapOutboundOut(frame), promise: nil)
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: answerWithin) {
            context.close(promise: nil)
        }
    }
}

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
