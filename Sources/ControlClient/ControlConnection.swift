internal import ControlTransport
internal import CryptoPrimitives
internal import NIOCore
internal import NIOHPACK
internal import NIOHTTP2
internal import NetTypes

/// One open control channel: HTTP/2 inside Noise. Requests are its streams.
struct ControlConnection: Sendable {
    let url: ServerURL
    let channel: any Channel
    private let multiplexer: NIOHTTP2Handler.StreamMultiplexer

    var isOpen: Bool { channel.isActive }

    /// The frames of a request's stream.
    typealias Stream = NIOAsyncChannel<HTTP2Frame.FramePayload, HTTP2Frame.FramePayload>

    init(
        _ dialer: Dialer, version: UInt16, machineKey: PrivateKey<MachineKind>,
        serverKey: MachineKey
    ) async throws(ControlClientError) {
        let parameters = ControlDialParameters(
            host: dialer.url.hostHeader, version: version, machineKey: machineKey,
            serverKey: serverKey)
        url = dialer.url
        (channel, multiplexer) = try await dialer.exchange(.handshaking) { channel, opened in
            try channel.pipeline.syncOperations.addControlClient(parameters, opened: opened)
        }
        try await watch(dialer.timeouts)
    }

    private func watch(_ timeouts: ControlClient.Timeouts) async throws(ControlClientError) {
        let silence = TimeAmount(timeouts.pingAfter)
        let answer = TimeAmount(timeouts.pingAnswer)
        do {
            try await channel.eventLoop.submit { [channel] in
                try channel.pipeline.syncOperations.addHandler(
                    ConnectionWatch(
                        pingAfter: silence, answerWithin: answer, mayBeLate: true))
            }.get()
        } catch {
            throw .translating(error, url, while: .handshaking)
        }
    }

    func close() { channel.close(promise: nil) }

    /// Asks the server for a sign of life at once; the connection is closed when none comes.
    func probe(answerWithin: Duration) {
        channel.pipeline.fireUserInboundEventTriggered(
            ConnectionWatch.Probe(answerWithin: TimeAmount(answerWithin)))
    }

    /// Sends a request; `body` reads the reply.
    ///
    /// `silence` is the longest pause between two pieces of the reply; nil lets the server take its
    /// time, as it must while a person logs in.
    func request<Result: Sendable>(
        method: String = "POST", path: String, body: [UInt8], silence: Duration?,
        _ read: (inout ControlReply) async throws -> Result
    ) async throws -> Result {
        let promise = channel.eventLoop.makePromise(of: Stream.self)
        let limit = silence.map { TimeAmount($0) }
        let opened = multiplexer.createStreamChannel { stream in
            stream.eventLoop.makeCompletedFuture {
                if let limit {
                    try stream.pipeline.syncOperations.addHandler(SilenceLimit(limit))
                }
                promise.succeed(
                    try Stream(
                        wrappingChannelSynchronously: stream,
                        configuration: .init(
                            backPressureStrategy: .init(lowWatermark: 1, highWatermark: 4),
                            isOutboundHalfClosureEnabled: true)))
            }
        }
        opened.whenFailure { promise.fail($0) }
        let stream = try await promise.futureResult.get()
        let headers = HPACKHeaders([
            (":method", method), (":scheme", "https"), (":path", path),
            (":authority", url.authority), ("content-type", "application/json"),
            ("content-length", String(body.count)), ("user-agent", "skein"),
        ])
        return try await stream.executeThenClose { inbound, outbound in
            try await outbound.write(.headers(.init(headers: headers)))
            try await outbound.write(
                .data(.init(data: .byteBuffer(ByteBuffer(bytes: body)), endStream: true)))
            var reply = ControlReply(frames: inbound.makeAsyncIterator())
            try await reply.readHead()
            return try await read(&reply)
        }
    }
}

/// The reply to a request, read piece by piece.
struct ControlReply {
    private var frames: NIOAsyncChannelInboundStream<HTTP2Frame.FramePayload>.AsyncIterator
    private(set) var status = 0
    private(set) var headers = HPACKHeaders()
    private var hasEnded = false

    init(frames: NIOAsyncChannelInboundStream<HTTP2Frame.FramePayload>.AsyncIterator) {
        self.frames = frames
    }

    mutating func readHead() async throws {
        while let frame = try await frames.next(isolation: #isolation) {
            guard case .headers(let head) = frame else { continue }
            // Informational replies precede the one that counts.
            status = head.headers.first(name: ":status").flatMap { Int($0) } ?? 0
            guard status == 0 || status >= 200 else { continue }
            headers = head.headers
            hasEnded = head.endStream
            return
        }
        try Task.checkCancellation()
        throw ControlClientError.connectionLost(reason: "no answer came")
    }

    /// The next bytes of the body; nil at its end.
    mutating func nextBytes() async throws -> ByteBuffer? {
        while !hasEnded {
            guard let frame = try await frames.next(isolation: #isolation) else { return nil }
            switch frame {
            case .data(let data):
                hasEnded = data.endStream
                if case .byteBuffer(let bytes) = data.data, bytes.readableBytes > 0 {
                    return bytes
                }
            case .headers(let trailers): hasEnded = trailers.endStream
            case .rstStream(let code):
                throw ControlClientError.connectionLost(reason: "the server ended it (\(code))")
            default: continue
            }
        }
        return nil
    }

    /// The whole body, at most `limit` bytes.
    mutating func body(limit: Int) async throws -> [UInt8] {
        var body: [UInt8] = []
        while let bytes = try await nextBytes() {
            guard body.count + bytes.readableBytes <= limit else {
                throw ControlClientError.malformedAnswer("more than \(limit) bytes")
            }
            body += bytes.readableBytesView
        }
        return body
    }

    /// Throws unless the status is 200, with the beginning of the text.
    mutating func requireSuccess() async throws {
        guard status != 200 else { return }
        var text: [UInt8] = []
        while text.count < 800, let bytes = try await nextBytes() {
            text += bytes.readableBytesView
        }
        let shown = printable(text, limit: 200)
        if status == 429 {
            throw ControlClientError.tooManyRequests(retryAfter: retryPause, text: shown)
        }
        throw ControlClientError.refused(status: status, text: shown)
    }

    /// The pause the server asks for, in seconds; a random one of 5 to 10 s where it is missing,
    /// a date, or beyond an hour.
    private var retryPause: Duration {
        if let text = headers.first(name: "retry-after"), let seconds = Int(text),
            (1...3600).contains(seconds)
        {
            return .seconds(seconds)
        }
        var random = SecureRandom()
        return .milliseconds(Int.random(in: 5_000...10_000, using: &random))
    }
}
