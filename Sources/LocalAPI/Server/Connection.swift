import ControlMessages
import Logging
import NIOCore
import NIOHTTP1

/// One connection: one request and its answer.
struct Connection: Sendable {
    typealias Channel = NIOAsyncChannel<HTTPServerRequestPart, HTTPServerResponsePart>

    static let maximumBodyBytes = 1 << 20
    /// How long a caller may take to send a request.
    static let requestTime = TimeAmount.seconds(10)
    /// How long a caller may take to hang up after its answer.
    static let partingTime = TimeAmount.seconds(5)
    /// What clients call the daemon; a browser led here by a hostile page names something else.
    static let hosts: Set = ["", "local-tailscaled.sock", "local-skein.sock"]

    var router: Router
    var version: String
    var logger: Logger

    func serve(_ channel: Channel, caller: Caller) async {
        do {
            try await channel.executeThenClose { inbound, outbound in
                var parts = inbound.makeAsyncIterator()
                let request: LocalRequest
                do {
                    let limit = channel.channel.eventLoop.scheduleTask(in: Self.requestTime) {
                        channel.channel.close(promise: nil)
                    }
                    defer { limit.cancel() }
                    request = try await readRequest(&parts)
                } catch let refusal as Refusal {
                    try await write(
                        .failure(status: refusal.status, message: refusal.message), to: outbound)
                    try await awaitHangUp(of: channel.channel, &parts)
                    return
                }
                switch await router.respond(to: request, from: caller) {
                case .stream(let notices):
                    try await stream(notices, over: channel.channel, to: outbound, until: &parts)
                case let answer:
                    try await write(answer, to: outbound)
                    try await awaitHangUp(of: channel.channel, &parts)
                }
            }
        } catch {
            // The caller went away or was too slow: its trouble, not ours.
            logger.debug("local connection ended early", metadata: ["error": "\(error)"])
        }
    }

    /// Lets the caller hang up first. A Unix socket that is closed under a reader resets the
    /// connection, and what the reader had not read yet is lost.
    private func awaitHangUp(
        of channel: any NIOCore.Channel,
        _ parts: inout NIOAsyncChannelInboundStream<HTTPServerRequestPart>.AsyncIterator
    ) async throws {
        let limit = channel.eventLoop.scheduleTask(in: Self.partingTime) {
            channel.close(promise: nil)
        }
        defer { limit.cancel() }
        while try await parts.next(isolation: #isolation) != nil {}
    }

    private struct Refusal: Error {
        var status: Int
        var message: String
    }

    private func readRequest(
        _ parts: inout NIOAsyncChannelInboundStream<HTTPServerRequestPart>.AsyncIterator
    ) async throws -> LocalRequest {
        guard case .head(let head) = try await parts.next(isolation: #isolation) else {
            throw Refusal(status: 400, message: "no request")
        }
        guard Self.hosts.contains(head.headers.first(name: "Host") ?? "") else {
            throw Refusal(status: 403, message: "invalid Host header")
        }
        guard !head.headers.contains(name: "Referer"), !head.headers.contains(name: "Origin") else {
            throw Refusal(status: 403, message: "requests of web pages are refused")
        }
        guard let method = LocalRequest.Method(rawValue: head.method.rawValue) else {
            throw Refusal(status: 405, message: "method not allowed")
        }
        var body: [UInt8] = []
        var byteCount = 0
        // One that is too long is read to its end, so that the caller sees why it is refused.
        while case .body(let bytes) = try await parts.next(isolation: #isolation) {
            byteCount += bytes.readableBytes
            if byteCount <= Self.maximumBodyBytes { body += bytes.readableBytesView }
        }
        guard byteCount <= Self.maximumBodyBytes else {
            throw Refusal(status: 413, message: "the request is too large")
        }
        guard let request = LocalRequest(method: method, target: head.uri, body: body) else {
            throw Refusal(status: 400, message: "malformed target")
        }
        return request
    }

    private func head(_ status: Int, _ more: [(String, String)]) -> HTTPServerResponsePart {
        let own = [
            ("Tailscale-Version", version), ("Tailscale-Cap", String(CapabilityVersion.own)),
            ("X-Content-Type-Options", "nosniff"), ("Connection", "close"),
        ]
        return .head(
            HTTPResponseHead(
                version: .http1_1, status: HTTPResponseStatus(statusCode: status),
                headers: HTTPHeaders(own + more)))
    }

    private func write(
        _ response: LocalResponse,
        to outbound: NIOAsyncChannelOutboundWriter<HTTPServerResponsePart>
    ) async throws {
        let status: Int
        let body: [UInt8]
        switch response {
        case .json(let bytes): (status, body) = (200, bytes)
        case .failure(let code, let message):
            var error = JSONObject()
            error["error"] = .string(message)
            (status, body) = (code, error.jsonBytes)
        case .done, .stream: (status, body) = (204, [])
        }
        var headers = [("Content-Length", String(body.count))]
        if !body.isEmpty { headers.append(("Content-Type", "application/json")) }
        if status == 204 { headers = [] }
        try await outbound.write(head(status, headers))
        if !body.isEmpty { try await outbound.write(.body(.byteBuffer(ByteBuffer(bytes: body)))) }
        try await outbound.write(.end(nil))
    }

    /// Writes notices until there are no more or the caller hangs up.
    private func stream(
        _ notices: AsyncStream<Notify>, over channel: any NIOCore.Channel,
        to outbound: NIOAsyncChannelOutboundWriter<HTTPServerResponsePart>,
        until parts: inout NIOAsyncChannelInboundStream<HTTPServerRequestPart>.AsyncIterator
    ) async throws {
        try await withThrowingTaskGroup { group in
            group.addTask {
                try await outbound.write(head(200, [("Content-Type", "application/json")]))
                for await notice in notices {
                    let line = notice.jsonBytes + [UInt8(ascii: "\n")]
                    try await outbound.write(.body(.byteBuffer(ByteBuffer(bytes: line))))
                }
                try await outbound.write(.end(nil))
                channel.close(promise: nil)
            }
            // Nothing more is expected from the caller: the next event is that it is gone.
            _ = try await parts.next(isolation: #isolation)
            group.cancelAll()
        }
    }
}
