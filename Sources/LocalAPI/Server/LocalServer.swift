package import Logging
import NIOCore
import NIOHTTP1
package import NIOPosix

/// Serves a node to the command line and to other programs of this machine: HTTP/1.1 over a Unix
/// socket that every user may connect to.
package struct LocalServer: Sendable {
    private typealias Listener = NIOAsyncChannel<Accepted, Never>

    private struct Accepted: Sendable {
        var channel: Connection.Channel
        var caller: Caller?
    }

    /// At most this many connections at once, and so many of one user who is not root.
    package static let maximumConnections = 256
    package static let maximumConnectionsOfUser = 32

    private let listener: Listener
    private let file: SocketFile
    private let connection: Connection
    private let logger: Logger

    /// Listens at `path`; a socket left there by a daemon that was killed is replaced.
    ///
    /// - Parameter version: What `Tailscale-Version` tells clients.
    package static func bind(
        path: String, node: any NodeControl, version: String, group: MultiThreadedEventLoopGroup,
        logger: Logger
    ) async throws(LocalSocketError) -> LocalServer {
        let file = SocketFile(path: path)
        try await file.prepare(group: group)
        let listener: Listener
        do {
            listener = try await ServerBootstrap(group: group)
                .bind(unixDomainSocketPath: path) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.configureHTTPServerPipeline(
                            withPipeliningAssistance: false, withErrorHandling: true)
                        return try Connection.Channel(wrappingChannelSynchronously: channel)
                    }.flatMap { wrapped in
                        Caller.of(channel).map { Accepted(channel: wrapped, caller: $0) }
                    }
                }
        } catch let error as IOError {
            throw .system(operation: "listen at", path: path, code: error.errnoCode)
        } catch {
            throw .system(operation: "listen at", path: path, code: 0)
        }
        do { try file.open() } catch {
            listener.channel.close(promise: nil)
            file.remove()
            throw error
        }
        return LocalServer(
            listener: listener, file: file,
            connection: Connection(
                router: Router(node: node), version: version, logger: logger), logger: logger)
    }

    /// Serves until cancelled, which is how it ends well, then removes the socket.
    package func run() async throws {
        defer { file.remove() }
        do { try await accept() } catch is CancellationError {}
    }

    private func accept() async throws {
        try await listener.executeThenClose { inbound in
            try await withThrowingDiscardingTaskGroup { group in
                let slots = Slots()
                for try await accepted in inbound {
                    guard let caller = accepted.caller, slots.take(for: caller) else {
                        logger.warning("local connection refused: too many")
                        accepted.channel.channel.close(promise: nil)
                        continue
                    }
                    group.addTask {
                        await connection.serve(accepted.channel, caller: caller)
                        slots.give(back: caller)
                    }
                }
            }
        }
    }
}
