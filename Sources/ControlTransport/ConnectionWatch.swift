package import NIOCore
package import NIOHTTP2
internal import NetTypes

/// Notices a peer that is gone: at intervals it sends an HTTP/2 PING, and closes the connection when
/// no answer comes back.
///
/// It stands behind the HTTP/2 handler and sees the frames of the connection itself. Those of
/// streams it cannot see, so that an answer to its PING, or a PING of the peer, is what counts as a
/// sign of life. Where a minute more is no matter but a wake-up is, the interval ends on the coarse
/// grid.
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
    private let mayBeLate: Bool
    private var timer: Scheduled<Void>?
    private var heardAt = NIODeadline.uptimeNanoseconds(0)
    /// While an answer is awaited. Another probe does not put it off.
    private var closesAt: NIODeadline?

    package init(pingAfter: TimeAmount, answerWithin: TimeAmount, mayBeLate: Bool = false) {
        self.mayBeLate = mayBeLate
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
        case .ping(_, ack: false):
            heardAt = context.eventLoop.now
            // Put off rather than let wake us to find that all is well.
            if closesAt == nil { schedule(context) }
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
        heardAt = context.eventLoop.now
        closesAt = nil
        schedule(context)
    }

    private func schedule(_ context: ChannelHandlerContext) {
        timer?.cancel()
        let due = heardAt + pingAfter
        timer = context.eventLoop.assumeIsolated().scheduleTask(
            deadline: mayBeLate ? due.onCoarseGrid : due
        ) {
            if self.heardAt + self.pingAfter > context.eventLoop.now {
                self.schedule(context)
            } else {
                self.ping(context, answerWithin: self.answerWithin)
            }
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

extension NIODeadline {
    /// See `MonotonicInstant.onCoarseGrid`. A millisecond later, as the timers of relays are.
    package var onCoarseGrid: Self {
        .uptimeNanoseconds(
            MonotonicInstant(nanoseconds: uptimeNanoseconds).onCoarseGrid.nanoseconds)
            + .milliseconds(1)
    }
}
