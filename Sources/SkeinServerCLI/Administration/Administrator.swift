import ControlMessages
import ControlServer
import Coordination
import CryptoPrimitives
import ServerStore
import SignIn

/// Carries out an administrator's calls: in the running server, or on the database of one that
/// does not run.
struct Administrator {
    var configuration: ServerConfiguration

    /// Makes a call and returns the member `name` of its result.
    func call(
        _ method: String, _ path: String..., body: JSONObject = JSONObject(), result name: String
    ) async throws -> JSON {
        let request = AdminRequest(method: method, path: ["api", "v1"] + path, body: body)
        let reply = try await reply(to: request)
        guard (200..<300).contains(reply.status) else {
            let text = reply.body.object?["error"]?.string
            throw CommandFailure(text ?? "the server answered with status \(reply.status)")
        }
        guard let result = reply.body.object?[name] else {
            throw CommandFailure("the server's answer has no '\(name)'")
        }
        return result
    }

    private func reply(to request: AdminRequest) async throws -> AdminReply {
        // A server that starts holds the lock of its state before it takes calls.
        var attempts = 100
        while true {
            if let reply = try AdminClient(socketPath: configuration.adminSocket).send(request) {
                return reply
            }
            do { return try await replyFromDatabase(to: request) } catch ServerStoreError.locked(
                let directory)
            {
                attempts -= 1
                guard attempts > 0 else {
                    throw CommandFailure(
                        "a skein-server is running with the state directory \(directory), but it "
                            + "does not answer at \(configuration.adminSocket)")
                }
                try await Task.sleep(for: .milliseconds(50))
            }
        }
    }

    private func replyFromDatabase(to request: AdminRequest) async throws -> AdminReply {
        if request.path.dropFirst(2).first == "auth" {
            throw CommandFailure(
                "no server is running with the state directory \(configuration.stateDirectory): "
                    + "machines wait for approval only at a running one")
        }
        let store = try ServerStore(folder: configuration.stateDirectory)
        let now = Self.now
        let state = try await store.load()
        let settings = configuration.coordinationSettings
        let accounts = try Accounts(configuration, keysIn: store.directory)
        let storage = Storage(store)
        let service = AdminService(accounts: accounts, audit: storage.audit) { decide in
            var coordinator = Coordinator(state: state, settings: settings, at: now)
            var random = SecureRandom()
            let decision = decide(&coordinator, now, &random)
            let entries = state.auditEntries(
                of: decision.changes, by: .commandLine, at: now.wall)
            let changes = decision.changes + entries.map { .audit($0) }
            if !changes.isEmpty { try await store.commit(changes) }
            return decision.reply.reply
        }
        let reply = await service.respond(to: request)
        try store.close()
        return reply
    }

    static var now: Moment { ServerClock().now }
}
