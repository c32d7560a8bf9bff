internal import ControlTransport
internal import CryptoPrimitives
internal import NIOCore
internal import NIOHTTP1
internal import NIOHTTP2
internal import NIOPosix
internal import NIOSSL
internal import NetTypes

/// Opens TCP and TLS connections to one server.
struct Dialer: Sendable {
    let url: ServerURL
    let group: any EventLoopGroup
    let tls: NIOSSLContext?
    let timeouts: ControlClient.Timeouts

    /// A connected channel with TLS, if the URL asks for it, and what `configure` adds.
    ///
    /// With TLS the channel is returned before that handshake is done: its errors come down the
    /// pipeline.
    func connect(
        _ configure: @escaping @Sendable (any Channel) throws -> Void
    ) async throws -> any Channel {
        let url = url
        let tls = tls
        let connecting = ClientBootstrap(group: group)
            .connectTimeout(TimeAmount(timeouts.connect))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            // tcp(7): TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT. The kernel finds out whether a server that
            // says less than it should is still there, and wakes nobody when it is.
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelOption(.tcpOption(.init(rawValue: 4)), value: 100)
            .channelOption(.tcpOption(.init(rawValue: 5)), value: 10)
            .channelOption(.tcpOption(.init(rawValue: 6)), value: 3)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        try channel.pipeline.syncOperations.addHandler(
                            NIOSSLClientHandler(
                                context: tls, serverHostname: url.isAddress ? nil : url.host))
                    }
                    try configure(channel)
                }
            }
            .connect(host: url.host, port: Int(url.port))
        let promise = group.any().makePromise(of: (any Channel).self)
        connecting.cascade(to: promise)
        return try await withTaskCancellationHandler {
            try await promise.futureResult.get()
        } onCancel: {
            // The system's resolver cannot be interrupted, and may take half a minute.
            promise.fail(CancellationError())
            connecting.whenSuccess { $0.close(promise: nil) }
        }
    }

    /// Runs `body` with a connected channel whose handlers fulfil `promise`, within a time limit;
    /// the channel is closed when the time is over, the task is cancelled, or anything fails.
    func exchange<Answer: Sendable>(
        _ activity: ControlClientError.Activity,
        _ configure: @escaping @Sendable (any Channel, EventLoopPromise<Answer>) throws -> Void
    ) async throws(ControlClientError) -> (channel: any Channel, answer: Answer) {
        do {
            let promise = group.any().makePromise(of: Answer.self)
            let channel: any Channel
            do {
                channel = try await connect { try configure($0, promise) }
            } catch {
                promise.fail(error)
                throw error
            }
            let url = url
            let limit = channel.eventLoop.scheduleTask(in: TimeAmount(timeouts.answer)) {
                promise.fail(ControlClientError.timedOut(url, doing: activity))
            }
            defer { limit.cancel() }
            do {
                let answer = try await withTaskCancellationHandler {
                    try await promise.futureResult.get()
                } onCancel: {
                    promise.fail(CancellationError())
                }
                return (channel, answer)
            } catch {
                channel.close(promise: nil)
                throw error
            }
        } catch {
            throw .translating(error, url, while: activity)
        }
    }
}

extension TimeAmount {
    init(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        self = .nanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }
}
