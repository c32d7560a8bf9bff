package import NIOCore
package import NIOHTTP2

/// Notices a peer that is gone: at intervals it sends an HTTP/2 PING, and closes the connection when
/// no answer comes back.
///
/// It stands behind the HTTP/2 handler and sees the frames of the connection itself. Those of
/// streams it cannot see, so that an answer to its PING is what counts as a sign of life.
package final class ConnectionWatch: ChannelInboundHandler {
    package typealias InboundIn = HTTP2Frame
    package typealias OutboundOut = HTTP2Frame

    /// A user event that asks for a PING at once.
    package struct Probe: Sendable {
        let answerWithin: TimeAmount

        package init(answerWithin: TimeAmount) { self.answerWithin = answerWithin }
    }

    private let pingAfter: TimeAmount
    private let answerWithin: TimeAmount
    private var timer: Scheduled<Void>?
    /// While an answer is awaited. Another probe does not put it off.
    private var closesAt: NIODeadline?

    package init(pingAfter: TimeAmount, answerWithin: TimeAmount) {
        self.pingAfter = pingAfter
        self.answerWithin = answerWithin
    }

    package func handlerAdded(context: ChannelHandlerContext) { restart(context) }

    package func handlerRemoved(context: ChannelHandlerContext) { timer?.cancel() }

    package func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        context.fireChannelInactive()
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data).payload {
        case .ping(_, ack: true): restart(context)
        // Nothing more can be asked; the other side is about to close as well.
        case .goAway: context.close(promise: nil)
        default: break
        }
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let probe = event as? Probe {
            ping(context, answerWithin: probe.answerWithin)
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func restart(_ context: ChannelHandlerContext) {
        timer?.cancel()
        closesAt = nil
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: pingAfter) {
            self.ping(context, answerWithin: self.answerWithin)
        }
    }

    private func ping(_ context: ChannelHandlerContext, answerWithin: TimeAmount) {
        let frame = HTTP2Frame(
            streamID: .rootStream, payload: .ping(HTTP2PingData(withInteger: 0), ack: false))
        context.writeAndFlush(wrapOutboundOut(frame), promise: nil)
        let deadline = context.eventLoop.now + answerWithin
        if let closesAt, closesAt <= deadline { return }
        closesAt = deadline
        timer?.cancel()
        timer = context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) {
            context.close(promise: nil)
        }
    }
}
