internal import ControlTransport
internal import NIOCore
internal import NIOHTTP2

/// Ends a stream on which nothing arrives for too long. A limit of a minute or more ends on the
/// coarse grid, and is put off by what arrives, so that a stream that is kept alive wakes nobody for it.
final class SilenceLimit: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame.FramePayload
    typealias InboundOut = HTTP2Frame.FramePayload

    private let limit: TimeAmount
    private var timer: Scheduled<Void>?
    private var lastRead = NIODeadline.now()
    private var scheduledAt = NIODeadline.now()

    init(_ limit: TimeAmount) { self.limit = limit }

    func handlerAdded(context: ChannelHandlerContext) { schedule(context) }

    func handlerRemoved(context: ChannelHandlerContext) { timer?.cancel() }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        lastRead = .now()
        // Not for each of many pieces in a row.
        if isCoarse, lastRead - scheduledAt > TimeAmount.nanoseconds(limit.nanoseconds / 4) {
            timer?.cancel()
            schedule(context)
        }
        context.fireChannelRead(data)
    }

    private var isCoarse: Bool { limit >= .minutes(1) }

    private func schedule(_ context: ChannelHandlerContext) {
        scheduledAt = .now()
        let end = lastRead + limit
        timer = context.eventLoop.assumeIsolated().scheduleTask(
            deadline: isCoarse ? end.onCoarseGrid : end
        ) {
            if self.lastRead + self.limit > .now() {
                self.schedule(context)
            } else {
                let limit = Duration.nanoseconds(self.limit.nanoseconds)
                context.fireErrorCaught(ControlClientError.mapStreamSilent(after: limit))
                context.close(promise: nil)
            }
        }
    }
}
