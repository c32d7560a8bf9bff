import ControlMessages
import Coordination
import Logging
import MachineCertificates
import NIOCore
import NetTypes

/// Answers what comes through control channels.
struct MachineService: Sendable {
    struct Timing: Sendable {
        /// How often a stream that has nothing to say gives a sign of life.
        var keepAlive = KeepAlive.period
        /// How long the node may take to answer it.
        var keepAliveAnswer = TimeAmount.seconds(15)
        /// The least time between two messages of one stream: what happens meanwhile travels together.
        var spacing = Duration.milliseconds(20)
        /// How long a client may take for one message before its connection is closed.
        var writeLimit = TimeAmount.seconds(60)
    }

    let owner: CoordinationOwner
    var timing = Timing()
    /// Nil where machine certificates are off.
    var certificates: MachineCertificateChecker?
    let logger: Logger

    /// Answers one request. Errors of the connection end it and need no other care.
    func respond(to request: MachineRequest, _ reply: MachineReply) async {
        var reply = reply
        reply.writeLimit = timing.writeLimit
        do {
            switch (request.method, request.path) {
            case ("POST", "/machine/register"): try await register(request, reply)
            case ("POST", "/machine/map"): try await map(request, reply)
            case (_, "/machine/whoami"):
                try await reply.respond(
                    200, Array("\(request.connection.machineKey)\n".utf8),
                    contentType: "text/plain; charset=utf-8")
            case ("POST", "/machine/feature/query"):
                try await reply.respond(200, Array("{\"Complete\":true}".utf8))
            case ("POST", "/machine/update-health"), ("POST", "/machine/audit-log"):
                try await reply.respond(200)
            case (_, let path) where Self.unsupported.contains { path.hasPrefix($0) }:
                try await reply.refuse(501, "This server does not offer that.")
            default: try await reply.refuse(404, "There is no such call.")
            }
        } catch {
            logger.debug(
                "request ended",
                metadata: [
                    "path": "\(request.path.prefix(64))", "error": "\(error)",
                    "machine": "\(request.connection.machineKey.shortText)",
                ])
        }
    }

    /// Parts of the protocol that clients can do without.
    private static let unsupported = [
        "/machine/set-dns", "/machine/id-token", "/machine/tka/", "/machine/ssh/",
        "/machine/webclient/", "/machine/set-device-attr",
    ]

    private func register(_ request: MachineRequest, _ reply: MachineReply) async throws {
        let message: RegisterRequest
        do {
            message = try RegisterRequest(jsonBytes: request.body)
        } catch {
            try await reply.refuse(400, "The request cannot be read: \(error)")
            return
        }
        do {
            let finding = certificates?.finding(
                message.machineSignature, machine: request.connection.machineKey,
                at: owner.clock.now.wall)
            let response = try await owner.register(
                message, from: request.connection, certificate: finding ?? .absent)
            try await reply.respond(200, response.jsonBytes)
        } catch is CoordinationOwner.StorageFailure {
            try await reply.refuse(500, "The server cannot store changes at the moment.")
        }
    }

    private func map(_ request: MachineRequest, _ reply: MachineReply) async throws {
        let message: MapRequest
        do {
            message = try MapRequest(jsonBytes: request.body)
        } catch {
            try await reply.refuse(400, "The request cannot be read: \(error)")
            return
        }
        do {
            switch message.kind {
            case .poll:
                let session = try await owner.openSession(message, from: request.connection)
                do {
                    try await stream(session, MapFraming(message), message, reply)
                } catch {
                    await owner.closeSession(session.id)
                    throw error
                }
                await owner.closeSession(session.id)
            case .update:
                _ = try await owner.update(message, from: request.connection)
                try await reply.respond(200)
            case .single:
                let node = try await owner.update(message, from: request.connection)
                guard let map = await owner.map(for: node) else { throw MapRefusal.unknownNode }
                try await reply.respond(200, MapFraming(message).frame(map))
            }
        } catch let refusal as MapRefusal {
            try await reply.refuse(refusal.httpStatus, refusal.text)
        } catch is CoordinationOwner.StorageFailure {
            try await reply.refuse(500, "The server cannot store changes at the moment.")
        }
    }

    /// The map, then what changes, until the client leaves or the owner ends it. There is never
    /// more than one message under way; what happens meanwhile is summed up in the next.
    private func stream(
        _ session: OpenedMapSession, _ framing: MapFraming, _ request: MapRequest,
        _ reply: MachineReply
    ) async throws {
        try await reply.begin()
        try await reply.send(framing.frame(session.map))
        let alarm = KeepAliveAlarm(
            on: reply.channel.eventLoop, for: request.nodeKey, period: timing.keepAlive
        ) { session.wake.yield() }
        defer { alarm.stop() }
        var lastSent = NIODeadline.now()
        for await _ in session.wakeups {
            switch await owner.nextStep(of: session.id) {
            case .send(let response):
                try await reply.send(framing.frame(response))
                lastSent = .now()
                try await Task.sleep(for: timing.spacing)
            case .end(let farewell):
                if let farewell { try await reply.send(framing.frame(farewell)) }
                try await reply.finish()
                return
            case .nothing:
                // What else was sent a moment ago serves as well.
                guard request.wantsKeepAlive,
                    .now() - lastSent >= .nanoseconds(timing.keepAlive.count / 6)
                else { continue }
                // In the same breath, so that the node wakes once for both.
                reply.askForLife(within: timing.keepAliveAnswer)
                try await reply.send(framing.keepAlive)
                lastSent = .now()
            }
        }
    }
}
