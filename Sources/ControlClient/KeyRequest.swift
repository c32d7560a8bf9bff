internal import ControlMessages
internal import ControlTransport
internal import NIOCore
internal import NIOHTTP1
internal import NetTypes

extension Dialer {
    /// More than a key takes.
    private static let keyLimit = 64 << 10

    /// The server's Noise key, from `GET /key` (control protocol §2.1).
    func fetchServerKey(version: Int) async throws(ControlClientError) -> MachineKey {
        let host = url.hostHeader
        let (channel, reply) = try await exchange(.fetchingKey) { channel, promise in
            try channel.pipeline.syncOperations.addHTTPClientHandlers()
            try channel.pipeline.syncOperations.addHandler(
                HTTPReplyCollector(
                    host: host, path: "/key?v=\(version)", limit: Self.keyLimit, promise: promise))
        }
        channel.close(promise: nil)
        return try serverKey(in: reply)
    }

    private func serverKey(in reply: HTTPReply) throws(ControlClientError) -> MachineKey {
        if (300..<400).contains(reply.status), let location = reply.location {
            throw .notAControlServer(
                url, detail: "it redirects to \(printable(location.utf8, limit: 100))")
        }
        guard reply.status == 200 else {
            throw .notAControlServer(url, detail: "it answers \(reply.status) to GET /key")
        }
        // Whatever is wrong with it, an answer that cannot be read is no key; an old server sends
        // its legacy key as bare digits.
        guard let keys = try? ServerKeys(jsonBytes: reply.body) else {
            if Hexadecimal.decode(String(decoding: reply.body, as: UTF8.self))?.count == 32 {
                throw .serverTooOld(url)
            }
            throw .notAControlServer(url, detail: "its answer to GET /key is no key")
        }
        guard !keys.publicKey.isZero else { throw .serverTooOld(url) }
        return keys.publicKey
    }
}

struct HTTPReply: Sendable {
    var status: Int
    var location: String?
    var body: [UInt8] = []
}

/// Sends one GET request and gathers the reply.
private final class HTTPReplyCollector: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let host: String
    private let path: String
    private let limit: Int
    private let promise: EventLoopPromise<HTTPReply>
    private var reply: HTTPReply?
    private var isSent = false

    init(host: String, path: String, limit: Int, promise: EventLoopPromise<HTTPReply>) {
        self.host = host
        self.path = path
        self.limit = limit
        self.promise = promise
    }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { send(context) }
    }

    func channelActive(context: ChannelHandlerContext) { send(context) }

    private func send(_ context: ChannelHandlerContext) {
        guard !isSent else { return }
        isSent = true
        let head = HTTPRequestHead(
            version: .http1_1, method: .GET, uri: path,
            headers: ["Host": host, "Connection": "close", "User-Agent": "skein"])
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            reply = HTTPReply(
                status: Int(head.status.code), location: head.headers.first(name: "Location"))
        case .body(let body):
            reply?.body += body.readableBytesView
            if let reply, reply.body.count > limit {
                promise.fail(ControlClientError.malformedAnswer("more than \(limit) bytes"))
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
