import ControlMessages
import Coordination
import CryptoPrimitives
import NetTypes
import SignIn

/// One call: finds out what is asked for and decides it.
struct AdminCall {
    let request: AdminRequest
    let now: Moment
    let accounts: Accounts

    struct Failure: Error {
        var status: Int
        var text: String
    }

    typealias Result = Decision<AdminService.Outcome>

    func decide(
        _ coordinator: inout Coordinator, _ random: inout SecureRandom
    ) throws -> Result {
        guard request.path.starts(with: ["api", "v1"]), request.path.count >= 3 else {
            throw Failure(status: 404, text: "there is no such call")
        }
        do {
            let arguments = Array(request.path.dropFirst(3))
            switch request.path[2] {
            case "health": return reply(Decision(()), .object(JSONObject()))
            case "user": return try user(arguments, &coordinator, &random)
            case "session": return try session(arguments, &coordinator)
            case "preauthkey": return try preAuthKey(arguments, &coordinator, &random)
            case "group": return try group(arguments, &coordinator)
            case "audit": return try pruneAudit(arguments)
            case "client": return try client(arguments, &coordinator, &random)
            case "node": return try node(arguments, &coordinator)
            case "auth": return try login(arguments, &coordinator)
            default: throw Failure(status: 404, text: "there is no such call")
            }
        } catch let refusal as AdministrationRefusal {
            throw Failure(status: 400, text: refusal.text)
        } catch let error as MessageDecodingError {
            throw Failure(status: 400, text: "the request cannot be read: \(error)")
        }
    }

    // MARK: Pre-auth keys

    private func preAuthKey(
        _ arguments: [String], _ coordinator: inout Coordinator, _ random: inout SecureRandom
    ) throws -> Result {
        switch (request.method, arguments) {
        case ("GET", []):
            let keys = coordinator.state.sortedPreAuthKeys.map {
                AdminView.preAuthKey($0, user: coordinator.state.users[$0.user], at: now.wall)
            }
            return list("preAuthKeys", keys)
        case ("POST", []):
            var options = Coordinator.PreAuthKeyOptions()
            options.isReusable = try request.body.read("reusable", or: false)
            options.isEphemeral = try request.body.read("ephemeral", or: false)
            options.isPreApproved = try request.body.read("preApproved", or: false)
            options.tags = try request.body.read("aclTags", or: [])
            options.expiry = try request.body.optional("expiration")
            let decision = try coordinator.createPreAuthKey(
                user: try text("user"), options, at: now.wall, random: &random)
            let (record, text) = decision.reply
            let view = AdminView.preAuthKey(
                record, user: coordinator.state.users[record.user], at: now.wall, text: text)
            return reply(decision, single("preAuthKey", view))
        case ("POST", ["expire"]):
            let decision = try coordinator.revokePreAuthKey(try text("key"))
            let view = AdminView.preAuthKey(
                decision.reply, user: coordinator.state.users[decision.reply.user], at: now.wall)
            return reply(decision, single("preAuthKey", view))
        default: throw wrongMethod
        }
    }

    // MARK: Nodes

    private func node(_ arguments: [String], _ coordinator: inout Coordinator) throws -> Result {
        let decision: Decision<NodeRecord>
        switch (request.method, arguments.count, arguments.dropFirst().first) {
        case ("GET", 0, _):
            let nodes = coordinator.state.sortedNodes.map { view($0, coordinator) }
            return list("nodes", nodes)
        case ("GET", 1, _): decision = Decision(try coordinator.node(arguments[0]))
        case ("DELETE", 1, _): decision = try coordinator.deleteNode(arguments[0])
        case ("POST", 2, "approve"): decision = try coordinator.approveNode(arguments[0])
        case ("POST", 2, "expire"):
            if try request.body.read("disableExpiry", or: false) {
                decision = try coordinator.disableExpiry(ofNode: arguments[0])
            } else {
                decision = try coordinator.expireNode(
                    arguments[0], at: try request.body.optional("expiry"), now: now.wall)
            }
        case ("POST", 2, "relay"):
            decision = try coordinator.setRelay(
                ofNode: arguments[0], for: try request.body.read("for", or: []))
        case ("POST", 3, "rename"):
            decision = try coordinator.renameNode(arguments[0], to: arguments[2])
        default: throw wrongMethod
        }
        return reply(decision, single("node", view(decision.reply, coordinator)))
    }

    private func view(_ node: NodeRecord, _ coordinator: borrowing Coordinator) -> JSON {
        AdminView.node(
            node, fullName: coordinator.fullName(of: node),
            user: node.user.flatMap { coordinator.state.users[$0] },
            isOnline: coordinator.isOnline(node.id), at: now.wall)
    }

    // MARK: Logins

    private func login(_ arguments: [String], _ coordinator: inout Coordinator) throws -> Result {
        switch (request.method, arguments) {
        case ("GET", []):
            return list("waiting", coordinator.waitingLogins.map { AdminView.login($0) })
        case ("POST", ["approve"]), ("POST", ["register"]):
            let decision = try coordinator.approveLogin(
                PendingLoginID(try text("authId")), user: try text("user"), at: now.wall)
            return reply(decision, single("node", view(decision.reply, coordinator)))
        case ("POST", ["reject"]):
            let id = PendingLoginID(try text("authId"))
            let machine = coordinator.waitingLogin(id).map { $0.machineKey.shortText } ?? ""
            let events = try coordinator.rejectLogin(id)
            let reply = AdminReply(.object(JSONObject()))
            let entry = AuditEntry(
                time: now.wall, by: .commandLine, .loginRejected, "machine \(machine)")
            return Decision(
                AdminService.Outcome(reply: reply, events: events), changes: [.audit(entry)])
        default: throw wrongMethod
        }
    }

    // MARK: Helpers

    var wrongMethod: Failure { Failure(status: 404, text: "there is no such call") }

    func text(_ name: String) throws -> String {
        guard let text = try request.body.optional(name, as: String.self), !text.isEmpty else {
            throw Failure(status: 400, text: "the request needs '\(name)'")
        }
        return text
    }

    func single(_ name: String, _ value: JSON) -> JSON {
        .object(JSONObject([.init(name, value)]))
    }

    func list(_ name: String, _ values: [JSON]) -> Result {
        reply(Decision(()), single(name, .array(values)))
    }

    func reply<Reply>(_ decision: Decision<Reply>, _ body: JSON) -> Result {
        Decision(AdminService.Outcome(reply: AdminReply(body)), changes: decision.changes)
    }
}
