internal import NIOCore
internal import NIOHTTP1

struct HTTPReply: Sendable {
    var status: Int
    var location: String?
    var body: [UInt8] = []
}

/// A request outside of control channels.
struct PlainRequest: Sendable {
    var method = HTTPMethod.GET
    var path: String
    var body: [UInt8] = []
    /// Most bytes of the reply's body.
    var replyLimit: Int
}

extension Dialer {
    /// Makes a request on a connection of its own.
    func request(
        _ request: PlainRequest, _ activity: ControlClientError.Activity
    ) async throws(ControlClientError) -> HTTPReply {
        let host = url.hostHeader
        let (channel, reply) = try await exchange(activity) { channel, promise in
            try channel.pipeline.syncOperations.addHTTPClientHandlers()
            try channel.pipeline.syncOperations.addHandler(
                HTTPReplyCollector(request, host: host, promise: promise))
        }
        channel.close(promise: nil)
        return reply
    }
}

/// Sends one request and gathers the reply.
private final class HTTPReplyCollector: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let request: PlainRequest
    private let host: String
    private let promise: EventLoopPromise<HTTPReply>
    private var reply: HTTPReply?
    private var isSent = false

    init(_ request: PlainRequest, host: String, promise: EventLoopPromise<HTTPReply>) {
        self.request = request
        self.host = host
        self.promise = promise
    }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { send(context) }
    }

    func channelActive(context: ChannelHandlerContext) { send(context) }

    private func send(_ context: ChannelHandlerContext) {
        guard !isSent else { return }
        isSent = true
        var headers: HTTPHeaders = ["Host": host, "Connection": "close", "User-Agent": "skein"]
        if !request.body.isEmpty {
            headers.add(name: "Content-Type", value: "application/json")
            headers.add(name: "Content-Length", value: String(request.body.count))
        }
        let head = HTTPRequestHead(
            version: .http1_1, method: request.method, uri: request.path, headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if !request.body.isEmpty {
            let body = ByteBuffer(bytes: request.body)
            context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
        }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            reply = HTTPReply(
                status: Int(head.status.code), location: head.headers.first(name: "Location"))
        case .body(let body):
            reply?.body += body.readableBytesView
            if let reply, reply.body.count > request.replyLimit {
                promise.fail(
                    ControlClientError.malformedAnswer(
                        "more than \(request.replyLimit) bytes"))
                context.close(promise: nil)
            }
        case .end:
            if let reply { promise.succeed(reply) }
            context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        promise.fail(ChannelError.eof)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        promise.fail(error)
        context.close(promise: nil)
    }
}
