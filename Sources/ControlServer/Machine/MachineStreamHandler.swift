import NIOCore
import NIOHPACK
import NIOHTTP2

/// Gathers a request of a control channel and has it answered in a task, which ends when the
/// stream does.
final class MachineStreamHandler: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame.FramePayload

    /// Anyone can shake hands with a key made on the spot, so nobody may send more.
    static let bodyLimit = 1 << 20

    typealias Respond = @Sendable (MachineRequest, MachineReply) async -> Void

    private let connection: MachineConnection
    private let respond: Respond
    private let requestLimit: TimeAmount
    private var method = ""
    private var path = ""
    private var body: [UInt8] = []
    private var timer: Scheduled<Void>?
    private var task: Task<Void, Never>?
    private var isComplete = false

    init(
        connection: MachineConnection, requestLimit: TimeAmount = .seconds(30),
        respond: @escaping Respond
    ) {
        self.connection = connection
        self.requestLimit = requestLimit
        self.respond = respond
    }

    func handlerAdded(context: ChannelHandlerContext) {
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: requestLimit) {
            context.close(promise: nil)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isComplete else { return }
        switch unwrapInboundIn(data) {
        case .headers(let head):
            // Trailers have no method and change nothing.
            if let method = head.headers.first(name: ":method") {
                self.method = method
                path = String((head.headers.first(name: ":path") ?? "/").prefix { $0 != "?" })
            }
            if head.endStream { complete(context) }
        case .data(let data):
            if case .byteBuffer(let bytes) = data.data {
                guard body.count + bytes.readableBytes <= Self.bodyLimit else {
                    isComplete = true
                    run(context) { reply in
                        // If the refusal cannot be sent either, nothing is left to do.
                        try? await reply.refuse(413, "The request is too large.")
                    }
                    return
                }
                body += bytes.readableBytesView
            }
            if data.endStream { complete(context) }
        default: break
        }
    }

    private func complete(_ context: ChannelHandlerContext) {
        isComplete = true
        let request = MachineRequest(
            method: method, path: path, body: body, connection: connection)
        body = []
        let respond = respond
        run(context) { await respond(request, $0) }
    }

    private func run(
        _ context: ChannelHandlerContext,
        _ work: @escaping @Sendable (MachineReply) async -> Void
    ) {
        timer?.cancel()
        let reply = MachineReply(channel: context.channel)
        // Kept, and cancelled when the stream closes.
        task = Task { await work(reply) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        task?.cancel()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
