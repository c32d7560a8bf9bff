import ControlTransport
import DERPClient
import HTTPTypes
import Logging
import NIOCore
import NIOHTTP1
import NetTypes
import WebForms

/// The first reader of every connection: gives upgrades to the control channel or the relay, and
/// answers everything else as plain HTTP, one request after the other.
final class FrontHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = Never
    typealias OutboundOut = HTTPServerResponsePart

    /// Bytes of a plain request's body that are read.
    static let bodyLimit = 64 << 10
    /// A request must be complete so long after the connection or the answer before it.
    struct Timeouts: Sendable {
        var request = TimeAmount.seconds(10)
        var idle = TimeAmount.seconds(75)
    }

    private enum Phase {
        case idle
        case receiving(HTTPRequestHead, ByteBuffer)
        /// An answer is being made; what the client sends meanwhile waits.
        case answering
        /// HTTP leaves the channel.
        case upgrading
        case closed
    }

    private let front: Front
    private let http: [any RemovableChannelHandler]
    private let decoder: any RemovableChannelHandler
    private var phase = Phase.idle
    private var waiting: [NIOAny] = []
    private var wantsRead = false
    private var timer: Scheduled<Void>?
    private var task: Task<Void, Never>?
    private var ticket: UInt64?

    /// `http` are the handlers in front of this one that an upgrade takes away, `decoder` the one
    /// that goes last.
    init(
        front: Front, http: [any RemovableChannelHandler], decoder: any RemovableChannelHandler
    ) {
        self.front = front
        self.http = http
        self.decoder = decoder
    }

    // MARK: Connection

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { start(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        start(context)
        context.fireChannelActive()
    }

    private func start(_ context: ChannelHandlerContext) {
        guard ticket == nil else { return }
        let address = context.channel.remoteAddress?.netAddress
        let isProxy = address.map { front.clientAddress.isTrusted($0) } ?? true
        ticket = front.halfOpen.add(context.channel, from: isProxy ? nil : address)
        expectRequest(context, within: front.timeouts.request)
    }

    private func expectRequest(_ context: ChannelHandlerContext, within limit: TimeAmount) {
        timer?.cancel()
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: limit) {
            context.close(promise: nil)
        }
    }

    /// The client has shown that it means something.
    private func leaveHalfOpen() {
        if let ticket { front.halfOpen.remove(ticket) }
        ticket = .some(.max)
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { end() }

    private func end() {
        timer?.cancel()
        task?.cancel()
        leaveHalfOpen()
        phase = .closed
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if error is HTTPParserError, case .idle = phase {
            phase = .closed
            fail(context, .badRequest, "This is not an HTTP request.\n")
        } else {
            context.close(promise: nil)
        }
    }

    /// Reads nothing while an answer is being made.
    func read(context: ChannelHandlerContext) {
        if case .answering = phase {
            wantsRead = true
        } else {
            context.read()
        }
    }

    // MARK: Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch phase {
        case .upgrading, .answering: waiting.append(data)
        case .closed: break
        case .idle, .receiving: handle(unwrapInboundIn(data), context)
        }
    }

    private func handle(_ part: HTTPServerRequestPart, _ context: ChannelHandlerContext) {
        switch (part, phase) {
        case (.head(let head), .idle):
            expectRequest(context, within: front.timeouts.request)
            phase = .receiving(head, ByteBuffer())
        case (.body(var bytes), .receiving(let head, var body)):
            guard body.readableBytes + bytes.readableBytes <= Self.bodyLimit else {
                phase = .closed
                fail(context, .payloadTooLarge, "The request is too large.\n")
                return
            }
            phase = .idle
            body.writeBuffer(&bytes)
            phase = .receiving(head, body)
        case (.end, .receiving(let head, let body)):
            timer?.cancel()
            leaveHalfOpen()
            dispatch(head, body, context)
        default: break
        }
    }

    private func dispatch(
        _ head: HTTPRequestHead, _ body: ByteBuffer, _ context: ChannelHandlerContext
    ) {
        let path = head.uri.prefix { $0 != "?" }
        let upgrade = head.headers[canonicalForm: "upgrade"].first?.lowercased()
        switch (path, upgrade) {
        case (ControlUpgrade.path[...], ControlUpgrade.protocolName):
            acceptControl(head, context)
        case (ControlUpgrade.path[...], "websocket")
        where WebSocketStream.isOffered(head.headers, subprotocol: ControlUpgrade.protocolName):
            acceptControlWebSocket(head, context)
        case (ControlUpgrade.path[...], _):
            phase = .closed
            fail(
                context, .badRequest,
                "Missing upgrade to \(ControlUpgrade.protocolName). A reverse proxy in front of this server must pass the Upgrade and Connection headers on.\n"
            )
        case ("/derp", "derp"): acceptRelay(head, context)
        case ("/derp", "websocket") where WebSocketStream.isOffered(head.headers):
            acceptRelayWebSocket(head, context)
        case ("/derp", _):
            phase = .closed
            fail(context, .upgradeRequired, "This is a DERP relay: it needs an upgrade to DERP.\n")
        default: answer(head, body, context)
        }
    }

    private func remoteAddress(
        _ head: HTTPRequestHead, _ context: ChannelHandlerContext
    ) -> IPAddress? {
        front.clientAddress.resolve(
            peer: context.channel.remoteAddress?.netAddress,
            forwardedFor: head.headers["x-forwarded-for"])
    }

    // MARK: Plain requests

    private func answer(
        _ head: HTTPRequestHead, _ body: ByteBuffer, _ context: ChannelHandlerContext
    ) {
        phase = .answering
        let address = remoteAddress(head, context)
        let channel = context.channel
        let keepsAlive = head.isKeepAlive
        let isHead = head.method == .HEAD
        let respond = front.respond
        let promise = context.eventLoop.makePromise(of: PlainResponse.self)
        // Kept, and cancelled when the connection closes.
        task = Task { promise.succeed(await respond(head, body, address, channel)) }
        promise.futureResult.assumeIsolated().whenSuccess { response in
            self.send(response, keepsAlive: keepsAlive, isHead: isHead, context)
        }
    }

    private func send(
        _ response: PlainResponse, keepsAlive: Bool, isHead: Bool, _ context: ChannelHandlerContext
    ) {
        guard case .answering = phase else { return }
        var headers = response.headers
        headers.replaceOrAdd(name: "Content-Length", value: String(response.body.readableBytes))
        if !keepsAlive { headers.replaceOrAdd(name: "Connection", value: "close") }
        let head = HTTPResponseHead(
            version: .http1_1, status: response.status, headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if !isHead, response.body.readableBytes > 0 {
            context.write(wrapOutboundOut(.body(.byteBuffer(response.body))), promise: nil)
        }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        guard keepsAlive else {
            phase = .closed
            context.close(promise: nil)
            return
        }
        phase = .idle
        expectRequest(context, within: front.timeouts.idle)
        resume(context)
    }

    /// Goes on with what came while the last request was answered.
    private func resume(_ context: ChannelHandlerContext) {
        let parts = waiting
        waiting = []
        for part in parts { channelRead(context: context, data: part) }
        if wantsRead, case .answering = phase { return }
        if wantsRead {
            wantsRead = false
            context.read()
        }
    }

    private func fail(
        _ context: ChannelHandlerContext, _ status: HTTPResponseStatus, _ text: String
    ) {
        timer?.cancel()
        let body = ByteBuffer(string: text)
        let head = HTTPResponseHead(
            version: .http1_1, status: status,
            headers: [
                "Content-Type": "text/plain; charset=utf-8", "Connection": "close",
                "Content-Length": String(body.readableBytes),
            ])
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        // Closing with unread bytes resets the connection, and the answer may be lost with it: what
        // still comes is read and dropped for a moment.
        expectRequest(context, within: .seconds(1))
    }

    // MARK: Upgrades

    private func acceptControl(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        let text = head.headers.first(name: ControlUpgrade.handshakeHeader) ?? ""
        guard let message = initiation(text, context) else { return }
        let address = remoteAddress(head, context)
        switchProtocols(context, [("Upgrade", ControlUpgrade.protocolName)])
        leaveHTTP(context) { context in
            try self.startControl(message, address, context.channel)
        }
    }

    /// Nil when the text is none, and the client has been told.
    private func initiation(_ text: String, _ context: ChannelHandlerContext) -> [UInt8]? {
        guard let message = Base64.decode(text), !message.isEmpty else {
            phase = .closed
            fail(context, .badRequest, "Missing or malformed handshake.\n")
            return nil
        }
        return message
    }

    /// What is wrong with an initiation is said behind the upgrade, where clients look for it.
    private func startControl(
        _ message: [UInt8], _ address: IPAddress?, _ channel: any Channel,
        wantsEarlyPayload: Bool = true
    ) throws {
        let opening: ControlOpening
        do throws(ControlOpeningError) {
            opening = try front.openControl(message)
        } catch {
            if let reply = error.reply {
                channel.writeAndFlush(ByteBuffer(bytes: reply), promise: nil)
            }
            return channel.close(promise: nil)
        }
        opening.wantsEarlyPayload = wantsEarlyPayload
        try front.startControl(opening, address, channel)
    }

    private func acceptControlWebSocket(
        _ head: HTTPRequestHead, _ context: ChannelHandlerContext
    ) {
        let query = FormFields(urlEncoded: head.uri.drop { $0 != "?" }.dropFirst())
        guard let message = initiation(query[ControlUpgrade.handshakeHeader], context) else {
            return
        }
        let address = remoteAddress(head, context)
        acceptWebSocket(head, ControlUpgrade.protocolName, context) { context in
            try self.startControl(
                message, address, context.channel, wantsEarlyPayload: false)
        }
    }

    private func acceptRelay(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        guard let relay = front.relay else {
            phase = .closed
            fail(context, .notFound, "This server runs no relay.\n")
            return
        }
        let address = remoteAddress(head, context)
        if head.headers.first(name: "Derp-Fast-Start") != "1" {
            switchProtocols(context, relay.upgradeHeaders)
        }
        leaveHTTP(context) { context in
            try relay.adopt(context.channel, address)
        }
    }

    private func acceptRelayWebSocket(
        _ head: HTTPRequestHead, _ context: ChannelHandlerContext
    ) {
        guard let relay = front.relay else {
            phase = .closed
            fail(context, .notFound, "This server runs no relay.\n")
            return
        }
        let address = remoteAddress(head, context)
        acceptWebSocket(head, WebSocketStream.subprotocol, context) { context in
            try relay.adopt(context.channel, address)
        }
    }

    /// Lets `install` put something behind the WebSocket that speaks in bytes.
    private func acceptWebSocket(
        _ head: HTTPRequestHead, _ subprotocol: String, _ context: ChannelHandlerContext,
        then install: @escaping (ChannelHandlerContext) throws -> Void
    ) {
        phase = .upgrading
        let answer = WebSocketStream.answer(head, context.channel, subprotocol: subprotocol)
        answer.assumeIsolated().whenComplete { result in
            guard case .upgrading = self.phase, case .success(let headers) = result else {
                self.phase = .closed
                self.fail(context, .badRequest, "This is no WebSocket handshake.\n")
                return
            }
            self.switchProtocols(context, headers.map { ($0.name, $0.value) })
            self.leaveHTTP(context) { context in
                try WebSocketStream.add(.server, to: context.pipeline.syncOperations)
                try install(context)
            }
        }
    }

    private func switchProtocols(
        _ context: ChannelHandlerContext, _ headers: [(String, String)]
    ) {
        var all = HTTPHeaders(headers)
        all.replaceOrAdd(name: "Connection", value: "upgrade")
        let head = HTTPResponseHead(version: .http1_1, status: .switchingProtocols, headers: all)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    /// Takes HTTP out of the channel, lets `install` put something else in, and hands that the
    /// bytes behind the request. Nothing may be written before the decoder is gone: it looks at
    /// what passes.
    private func leaveHTTP(
        _ context: ChannelHandlerContext,
        then install: @escaping (ChannelHandlerContext) throws -> Void
    ) {
        phase = .upgrading
        timer?.cancel()
        let pipeline = context.pipeline.syncOperations
        for handler in http { pipeline.removeHandler(handler, promise: nil) }
        pipeline.removeHandler(decoder).assumeIsolated().whenComplete { _ in
            guard context.channel.isActive else { return }
            do {
                try install(context)
            } catch {
                self.front.logger.debug("upgrade failed", metadata: ["error": "\(error)"])
                context.close(promise: nil)
                return
            }
            let parts = self.waiting
            self.waiting = []
            for part in parts { context.fireChannelRead(part) }
            pipeline.removeHandler(context: context, promise: nil)
        }
    }
}
