import CryptoPrimitives
import DERP
import Logging
import NIOCore
import NIOPosix
import NetTypes
import RelayServer
import Synchronization

/// A relay on loopback whose connections are adopted at once, without HTTP.
final class BareRelay: Sendable {
    let server: RelayServer
    let address: SocketAddress
    private let listener: any Channel

    init(
        key: PrivateKey<RelayKind> = PrivateKey(),
        configuration: RelayServer.Configuration = RelayServer.Configuration(),
        admit: @escaping RelayServer.Admission = { _, _ in true }
    ) async throws {
        let server = RelayServer(
            privateKey: key, group: MultiThreadedEventLoopGroup.singleton,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            configuration: configuration, admit: admit)
        self.server = server
        listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try server.adopt(channel: channel, remoteAddress: .v4(.loopback))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        address = listener.localAddress!
    }

    func stop() async throws {
        try await listener.close()
        server.shutDown()
    }
}

/// A client under the test's full control: it sends bytes as they are, and reads or not.
final class RawClient: Sendable {
    let key = PrivateKey<NodeKind>()
    private let channel: any Channel
    private let received: Received

    final class Received: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        struct State {
            var bytes: [UInt8] = []
            var isClosed = false
        }
        let state = Mutex(State())

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = Array(buffer: unwrapInboundIn(data))
            state.withLock { $0.bytes += bytes }
        }
        func channelInactive(context: ChannelHandlerContext) {
            state.withLock { $0.isClosed = true }
        }
        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }
    }

    init(_ relay: BareRelay) async throws {
        let received = Received()
        self.received = received
        channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.socketOption(.so_rcvbuf), value: 64 << 10)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(received)
                }
            }
            .connect(to: relay.address).get()
    }

    var isClosed: Bool { received.state.withLock { $0.isClosed } }

    /// All complete frames so far.
    var frames: [(type: FrameType, payload: [UInt8])] {
        let bytes = received.state.withLock { $0.bytes }
        var splitter = FrameSplitter(limits: .client)
        var frames: [(type: FrameType, payload: [UInt8])] = []
        var offset = 0
        while case .frame(let type, let range)? = try? splitter.next(
            in: bytes.span.bytes, from: &offset)
        {
            frames.append((type, Array(bytes[range])))
        }
        return frames
    }

    func send(_ bytes: [UInt8]) {
        channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil)
    }

    func setReading(_ isOn: Bool) async throws {
        try await channel.setOption(.autoRead, value: isOn).get()
    }

    func loginFrame(to relay: RelayKey) throws -> [UInt8] {
        var random = SecureRandom()
        return try ClientInfo().frame(from: key, to: relay, random: &random)
    }

    func logIn(_ relay: BareRelay) async throws {
        send(try loginFrame(to: relay.server.publicKey))
        try await eventually("logged in") { self.frames.contains { $0.type == .serverInfo } }
    }

    func close() async throws { try await channel.close() }
}

func sendPacket(_ bytes: [UInt8], to key: NodeKey) -> [UInt8] {
    var frame: [UInt8] = []
    frame.appendPacketFrame(.sendPacket, key, bytes)
    return frame
}

struct ConditionTimeout: Error, CustomStringConvertible {
    var description: String
}

/// Waits until the condition holds, looking again every few milliseconds.
func eventually(
    _ what: String, within limit: Duration = .seconds(20), _ condition: @Sendable () -> Bool
) async throws {
    let end = ContinuousClock.now + limit
    while !condition() {
        guard ContinuousClock.now < end else { throw ConditionTimeout(description: what) }
        // Between two looks at the condition.
        try await Task.sleep(for: .milliseconds(2))
    }
}
