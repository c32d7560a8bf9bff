import ControlMessages
import Coordination
import CryptoPrimitives
import NetTypes
import SignIn

/// Calls about users, how they prove who they are, and where they are signed in.
extension AdminCall {
    func user(
        _ arguments: [String], _ coordinator: inout Coordinator, _ random: inout SecureRandom
    ) throws -> Result {
        switch (request.method, arguments.count) {
        case ("GET", 0):
            let users = coordinator.state.sortedUsers.map {
                AdminView.user($0, coordinator.state.accounts[$0.id])
            }
            return list("users", users)
        case ("GET", 2) where arguments[1] == "passkeys":
            let user = try coordinator.user(named: arguments[0])
            let passkeys = coordinator.state.accounts[user.id]?.passkeys ?? []
            return list("passkeys", passkeys.map { AdminView.passkey($0) })
        case ("POST", 0): return try createUser(&coordinator, &random)
        case ("DELETE", 1):
            let decision = try coordinator.deleteUser(name: arguments[0])
            return reply(decision, single("user", AdminView.user(decision.reply)))
        case ("POST", 2):
            return try change(arguments[0], arguments[1], &coordinator, &random)
        default: throw wrongMethod
        }
    }

    private func createUser(
        _ coordinator: inout Coordinator, _ random: inout SecureRandom
    ) throws -> Result {
        var decision = try coordinator.createUser(
            name: try text("name"), displayName: try request.body.read("displayName", or: ""),
            role: try role(or: .member), at: now.wall)
        if let hash = try passwordHash() {
            decision.changes +=
                accounts.setPassword(
                    of: decision.reply, hash: hash,
                    isTemporary: try request.body.read("temporary", or: false),
                    in: coordinator.state, at: now.wall, random: &random
                ).changes
        }
        return reply(decision, single("user", AdminView.user(decision.reply)))
    }

    private func change(
        _ name: String, _ what: String, _ coordinator: inout Coordinator,
        _ random: inout SecureRandom
    ) throws -> Result {
        let user = try coordinator.user(named: name)
        var changed = user
        let changes: [Change]
        switch what {
        case "role":
            let decision = try coordinator.setRole(ofUser: name, to: try role(or: nil))
            (changed, changes) = (decision.reply, decision.changes)
        case "suspend":
            let decision = try coordinator.suspendUser(name: name, at: now.wall)
            (changed, changes) = (decision.reply, decision.changes)
        case "resume":
            let decision = try coordinator.resumeUser(name: name)
            (changed, changes) = (decision.reply, decision.changes)
        case "link":
            let identity = UserIdentity(
                provider: try text("provider"), subject: try text("subject"))
            let decision = try coordinator.linkUser(name: name, with: identity)
            (changed, changes) = (decision.reply, decision.changes)
        case "unlink":
            let identity = UserIdentity(
                provider: try text("provider"), subject: try text("subject"))
            let decision = try coordinator.unlinkUser(name: name, from: identity)
            (changed, changes) = (decision.reply, decision.changes)
        case "password":
            guard let hash = try passwordHash() else {
                throw Failure(status: 400, text: "the request needs 'passwordHash'")
            }
            changes =
                accounts.setPassword(
                    of: user, hash: hash,
                    isTemporary: try request.body.read("temporary", or: false),
                    in: coordinator.state, at: now.wall, random: &random
                ).changes
        case "reset-second-factor":
            changes = accounts.removeSecondFactor(of: user, in: coordinator.state).changes
        case "remove-passkey":
            changes = try removal(ofPasskey: try text("id"), of: user, coordinator.state)
        case "end-sessions":
            let endings = accounts.endings(of: user.id, in: coordinator.state)
            let entry = AuditEntry(
                time: now.wall, by: .commandLine, .sessionEnded, "user \(name)",
                detail: "\(endings.count) sessions")
            changes = endings + (endings.isEmpty ? [] : [.audit(entry)])
        default: throw wrongMethod
        }
        return reply(
            Decision((), changes: changes),
            single("user", AdminView.user(changed, coordinator.state.accounts[user.id])))
    }

    /// `text` is a passkey's ID or its first sixteen digits or more.
    private func removal(
        ofPasskey text: String, of user: UserRecord, _ state: CoordinationState
    ) throws -> [Change] {
        let matches = (state.accounts[user.id]?.passkeys ?? []).filter {
            let id = Hexadecimal.encode($0.id)
            return id == text || text.utf8.count >= 16 && id.hasPrefix(text)
        }
        guard matches.count == 1, let passkey = matches.first else {
            throw Failure(
                status: 400,
                text: "\(user.name) has no passkey '\(text)': see 'skein-server users passkeys'")
        }
        return accounts.removePasskey(passkey.id, of: user, in: state).changes
    }

    private func role(or fallback: UserRole?) throws -> UserRole {
        let text: String = try request.body.read("role", or: "")
        if text.isEmpty, let fallback { return fallback }
        guard let role = UserRole(rawValue: text) else {
            throw AdministrationRefusal.unknownRole(text)
        }
        return role
    }

    /// The password itself stays where it was typed: only its hash is sent.
    private func passwordHash() throws -> String? {
        let hash: String = try request.body.read("passwordHash", or: "")
        if hash.isEmpty { return nil }
        guard PasswordHash.isWellFormed(hash) else {
            throw Failure(status: 400, text: "'passwordHash' is no Argon2id hash")
        }
        return hash
    }

    // MARK: Sessions

    func session(
        _ arguments: [String], _ coordinator: inout Coordinator
    ) throws -> Result {
        switch (request.method, arguments.count) {
        case ("GET", 0):
            return list(
                "sessions",
                coordinator.state.sortedSessions.map {
                    AdminView.session($0, user: coordinator.state.users[$0.user])
                })
        case ("DELETE", 1):
            let matches = coordinator.state.sortedSessions.filter {
                $0.id.text.hasPrefix(arguments[0]) && arguments[0].utf8.count >= 16
            }
            guard matches.count == 1, let session = matches.first else {
                throw Failure(
                    status: 400,
                    text: "there is no session '\(arguments[0])': see 'skein-server sessions list'")
            }
            let user = coordinator.state.users[session.user]
            let entry = AuditEntry(
                time: now.wall, by: .commandLine, .sessionEnded, "user \(user?.name ?? "")",
                detail: "session \(session.id)")
            return reply(
                Decision((), changes: [.sessionRemoved(session.id), .audit(entry)]),
                single("session", AdminView.session(session, user: user)))
        default: throw wrongMethod
        }
    }
}
