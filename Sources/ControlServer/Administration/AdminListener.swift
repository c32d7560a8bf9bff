import ControlMessages
import ControlTransport
import Glibc
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import NetTypes
import ServiceLifecycle
import SignIn
import WebForms

/// The Unix socket on which a running server takes the commands of its administrator. Only the
/// user it runs as, and root, may open it.
struct AdminListener: ServiceLifecycle.Service {
    private let channel: any Channel
    private let open = OpenChannels()

    init(
        path: String, owner: CoordinationOwner, storage: Storage, group: any EventLoopGroup,
        logger: Logger
    ) async throws(ControlServerError) {
        let accounts = await owner.consult { desk, _, _, _ in desk.accounts }
        let service = AdminService(accounts: accounts, audit: storage.audit) { decide in
            try await owner.administer(decide)
        }
        let front = Front(
            halfOpen: HalfOpenConnections(), clientAddress: ClientAddress(trustedProxies: []),
            respond: { head, body, _, _ in await Self.answer(head, body, service) },
            openControl: { (_) throws(ControlOpeningError) in throw .notHere },
            startControl: { _, _, channel in channel.close(promise: nil) },
            relay: nil, logger: logger)
        let open = open
        do {
            // The state directory can be entered by its owner only, so nobody else reaches the
            // socket before its mode is set either.
            channel = try await ServerBootstrap(group: group)
                .childChannelInitializer { child in
                    open.add(child)
                    return child.eventLoop.makeCompletedFuture {
                        try Listener.addHTTP(to: child.pipeline.syncOperations, front)
                    }
                }
                .bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true)
                .get()
        } catch {
            throw .cannotListen(host: path, port: 0, reason: "\(error)")
        }
        guard chmod(path, 0o600) == 0 else {
            channel.close(promise: nil)
            throw .cannotListen(host: path, port: 0, reason: "its mode cannot be set")
        }
    }

    private static func answer(
        _ head: HTTPRequestHead, _ body: ByteBuffer, _ service: AdminService
    ) async -> PlainResponse {
        var members = JSONObject()
        if body.readableBytes > 0 {
            do {
                members = try JSONObject(jsonBytes: Array(body.readableBytesView))
            } catch {
                return plain(
                    AdminReply(
                        status: 400,
                        .object(JSONObject([.init("error", .string("\(error)"))]))))
            }
        }
        let path = head.uri.prefix { $0 != "?" }.split(separator: "/").map { percentDecoded($0) }
        let request = AdminRequest(method: head.method.rawValue, path: path, body: members)
        return plain(await service.respond(to: request))
    }

    private static func plain(_ reply: AdminReply) -> PlainResponse {
        PlainResponse(
            status: HTTPResponseStatus(statusCode: reply.status),
            headers: ["Content-Type": "application/json"],
            body: ByteBuffer(bytes: reply.body.jsonBytes))
    }

    func run() async throws {
        await withGracefulShutdownHandler {
            // How the socket closes does not matter.
            _ = try? await channel.closeFuture.get()
        } onGracefulShutdown: {
            channel.close(promise: nil)
        }
        await open.closeAll()
    }

    func close() async {
        channel.close(promise: nil)
        await open.closeAll()
    }
}
