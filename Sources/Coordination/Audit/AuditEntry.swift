package import ControlMessages
package import NetTypes

/// Who did something, and from where.
package struct Initiator: Equatable, Sendable {
    package enum Kind: String, Sendable {
        /// A user in a browser.
        case user
        /// A machine that speaks to the server.
        case node
        /// A program with a token.
        case client
        /// Somebody with a shell on the server.
        case commandLine = "command line"
        /// The server itself, because something fell due.
        case server
        /// Whoever it was, they did not prove it.
        case stranger
    }
    package var kind: Kind
    /// The user's or node's name, where there is one.
    package var name: String
    /// Empty where there is none.
    package var address: String

    package init(_ kind: Kind, name: String = "", address: IPAddress? = nil) {
        self.kind = kind
        self.name = name
        self.address = address.map { $0.description } ?? ""
    }

    package static var server: Self { Self(.server) }
    package static var commandLine: Self { Self(.commandLine) }
}

/// A line of the audit log: who did what from where, to which object, with what result. It never
/// contains a secret, nor what somebody typed where a secret could have been typed by mistake.
package struct AuditEntry: Equatable, Sendable {
    package var time: Timestamp
    package var initiator: Initiator
    package var action: Action
    /// What it was done to: `user anna`, `node web`.
    package var object: String
    package var isRefused: Bool
    /// What else is worth knowing, such as the reason of a refusal.
    package var detail: String

    /// The names of actions, which may grow in number but keep their meaning.
    package struct Action: RawRepresentable, Hashable, Sendable {
        package var rawValue: String
        package init(rawValue: String) { self.rawValue = rawValue }
        package init(_ rawValue: String) { self.rawValue = rawValue }
    }

    package init(
        time: Timestamp, by initiator: Initiator, _ action: Action, _ object: String,
        isRefused: Bool = false, detail: String = ""
    ) {
        self.time = time
        self.initiator = initiator
        self.action = action
        self.object = object
        self.isRefused = isRefused
        self.detail = detail
    }
}

extension AuditEntry.Action {
    package static let signIn = Self("sign-in")
    package static let signOut = Self("sign-out")
    package static let sessionEnded = Self("session.end")
    package static let userCreated = Self("user.create")
    package static let userDeleted = Self("user.delete")
    package static let userRenamed = Self("user.rename")
    package static let userSuspended = Self("user.suspend")
    package static let userResumed = Self("user.resume")
    package static let roleChanged = Self("user.role")
    package static let identityUnlinked = Self("user.unlink")
    package static let groupCreated = Self("group.create")
    package static let groupRemoved = Self("group.remove")
    package static let groupMemberAdded = Self("group.add")
    package static let groupMemberRemoved = Self("group.take-out")
    package static let auditPruned = Self("audit.prune")
    package static let certificateRefused = Self("certificate.refuse")
    package static let identityLinked = Self("user.link")
    package static let passwordChanged = Self("password.change")
    package static let passwordRemoved = Self("password.remove")
    package static let secondFactorSetUp = Self("second-factor.set-up")
    package static let secondFactorRemoved = Self("second-factor.remove")
    package static let passkeyAdded = Self("passkey.add")
    package static let passkeyRemoved = Self("passkey.remove")
    package static let recoveryCodesMade = Self("recovery-codes.make")
    package static let recoveryCodeUsed = Self("recovery-codes.use")
    package static let keyCreated = Self("preauthkey.create")
    package static let keyRevoked = Self("preauthkey.revoke")
    package static let keyRemoved = Self("preauthkey.remove")
    package static let clientCreated = Self("client.create")
    package static let clientRevoked = Self("client.revoke")
    package static let clientRemoved = Self("client.remove")
    package static let clientToken = Self("client.token")
    package static let nodeJoined = Self("node.join")
    package static let nodeApproved = Self("node.approve")
    package static let nodeRemoved = Self("node.remove")
    package static let nodeRenamed = Self("node.rename")
    package static let nodeOwnerChanged = Self("node.owner")
    package static let nodeKeyChanged = Self("node.key")
    package static let nodeExpiryChanged = Self("node.expiry")
    package static let loginApproved = Self("login.approve")
    package static let loginRejected = Self("login.reject")
}

extension AuditEntry: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        var initiator = Initiator(
            Initiator.Kind(rawValue: try object.read("by", or: "")) ?? .stranger,
            name: try object.read("name", or: ""))
        initiator.address = try object.read("from", or: "")
        self.init(
            time: try object.read("time", or: .zero), by: initiator,
            Action(try object.read("action", or: "")), try object.read("object", or: ""),
            isRefused: try object.read("result", or: "") == "refused",
            detail: try object.read("detail", or: ""))
    }

    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.keep("time", time)
            writer.keep("by", initiator.kind.rawValue)
            writer.omit("name", initiator.name)
            writer.omit("from", initiator.address)
            writer.keep("action", action.rawValue)
            writer.omit("object", object)
            writer.keep("result", isRefused ? "refused" : "done")
            writer.omit("detail", detail)
        }
    }
}
