import ControlTransport
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import NetTypes

/// The one listening port.
struct Listener: Sendable {
    let channel: any Channel
    let open: OpenChannels

    /// Bytes of a request's head and of what is behind it that are held at a time.
    private static let headLimit = 64 << 10

    /// Binds `host` and `port` (0: any) and serves what connects with `front`. `tls` is asked for
    /// each connection, so that a renewed certificate is used at once.
    init(
        host: String, port: Int, group: any EventLoopGroup, front: Front,
        tls: (@Sendable () -> NIOSSLContext)?
    ) async throws {
        let open = OpenChannels()
        self.open = open
        channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { server in
                server.eventLoop.makeCompletedFuture {
                    try server.pipeline.syncOperations.addHandler(AcceptBackoffHandler())
                }
            }
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.socketOption(.so_keepalive), value: 1)
            .childChannelInitializer { child in
                open.add(child)
                return child.eventLoop.makeCompletedFuture {
                    let pipeline = child.pipeline.syncOperations
                    if let tls {
                        try pipeline.addHandler(NIOSSLServerHandler(context: tls()))
                    }
                    try Self.addHTTP(to: pipeline, front)
                }
            }
            .bind(host: host, port: port)
            .get()
    }

    static func addHTTP(
        to pipeline: ChannelPipeline.SynchronousOperations, _ front: Front
    ) throws {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderListSize = 16 << 10
        limits.maxHeaderFieldSize = 8 << 10
        limits.maxHeaderFieldCount = 100
        let decoder = ByteToMessageHandler(
            HTTPRequestDecoder(
                leftOverBytesStrategy: .forwardBytes, limitConfiguration: limits),
            maximumBufferSize: headLimit)
        let encoder = HTTPResponseEncoder()
        let handler = FrontHandler(front: front, http: [encoder], decoder: decoder)
        try pipeline.addHandler(encoder)
        try pipeline.addHandler(decoder)
        try pipeline.addHandler(handler)
    }

    var address: SocketAddress? { channel.localAddress }

    /// Accepts no more and closes all connections.
    func close() async {
        // An error means that it is closed already.
        _ = try? await channel.close()
        await open.closeAll()
    }
}
