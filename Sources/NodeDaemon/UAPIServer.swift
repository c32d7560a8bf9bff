import DataPlane
import Glibc
import LinuxIO
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle

/// Lets `wg` look at the tunnel and set plain WireGuard peers: the socket of the cross-platform
/// userspace interface, for root alone.
struct UAPIServer: Service, CustomStringConvertible {
    /// Where `wg` looks for it.
    static var folder: String { "/var/run/wireguard" }
    /// Connections beyond this are closed at once.
    static var connectionsMax: Int { 16 }

    private typealias Channel = NIOAsyncChannel<ByteBuffer, ByteBuffer>

    private let path: String
    private let listener: NIOAsyncChannel<Channel, Never>
    private let dataPlane: DataPlane
    private let logger: Logger

    init(
        interface: String, dataPlane: DataPlane, group: MultiThreadedEventLoopGroup, logger: Logger
    ) async throws {
        path = "\(Self.folder)/\(interface).sock"
        self.dataPlane = dataPlane
        self.logger = logger
        mkdir(Self.folder, 0o755)
        // The interface is ours, so what stands here was left by a daemon that was killed.
        unlink(path)
        let mask = umask(0o077)
        defer { umask(mask) }
        listener = try await ServerBootstrap(group: group).bind(unixDomainSocketPath: path) {
            channel in
            channel.eventLoop.makeCompletedFuture {
                try Channel(wrappingChannelSynchronously: channel)
            }
        }
    }

    func run() async throws {
        defer { unlink(path) }
        do {
            try await cancelWhenGracefulShutdown { try await serve() }
        } catch is CancellationError {
            // That is how a shutdown reaches it.
        }
    }

    private func serve() async throws {
        try await listener.executeThenClose { inbound in
            try await withThrowingDiscardingTaskGroup { group in
                let open = Counter()
                for try await channel in inbound {
                    guard open.increase(to: Self.connectionsMax) else {
                        channel.channel.close(promise: nil)
                        continue
                    }
                    group.addTask {
                        defer { open.decrease() }
                        do {
                            try await answer(channel)
                        } catch {
                            logger.debug("wg connection ended", metadata: ["error": "\(error)"])
                        }
                    }
                }
            }
        }
    }

    private func answer(_ channel: Channel) async throws {
        try await channel.executeThenClose { inbound, outbound in
            var request: [UInt8] = []
            for try await buffer in inbound {
                request += buffer.readableBytesView
                guard request.count <= DataPlane.maximumUAPIByteCount else { return }
                guard DataPlane.isCompleteUAPI(request) else { continue }
                let reply = await dataPlane.answerUAPI(request)
                request = []
                try await outbound.write(ByteBuffer(string: reply))
            }
        }
    }

    var description: String { "wg interface" }
}
