import ControlMessages
import Coordination
import NetTypes

/// Records as administrators see them, with the member names of control protocol §9.3.
enum AdminView {
    static func user(_ user: UserRecord, _ account: AccountRecord? = nil) -> JSON {
        object { view in
            view.add("id", .string(user.id.description))
            view.add("name", .string(user.name))
            view.add("displayName", .string(user.displayName))
            view.add("createdAt", user.created)
            view.add("role", .string(user.role.rawValue))
            view.add("suspended", .bool(user.isSuspended))
            view.add("email", .string(user.email))
            view.add("groups", .array(user.groups.map { .string($0) }))
            view.add(
                "identities",
                .array(user.identities.map { .string("\($0.provider) \($0.subject)") }))
            view.add("password", .bool(account?.hasPassword == true))
            view.add("secondFactor", .bool(account?.hasSecondFactor == true))
            view.add("passkeys", .integer(account?.passkeys.count ?? 0))
        }
    }

    static func passkey(_ passkey: Passkey) -> JSON {
        object { view in
            view.add("id", .string(Hexadecimal.encode(passkey.id)))
            view.add("name", .string(passkey.name))
            view.add("createdAt", passkey.created)
            view.add("lastUsed", passkey.lastUsed)
            view.add("counter", .integer(Int(passkey.counter)))
            view.add("synchronized", .bool(passkey.isBackedUp))
            view.add("transports", .array(passkey.transports.map { .string($0) }))
        }
    }

    static func session(_ session: SessionRecord, user: UserRecord?) -> JSON {
        object { view in
            view.add("id", .string(session.id.description))
            view.add("user", .string(user?.name ?? ""))
            view.add("createdAt", session.created)
            view.add("lastUsed", session.lastUsed)
            view.add("expiration", session.expiry)
            view.add("address", .string(session.address))
            view.add("browser", .string(session.browser))
            view.add("provider", .string(session.provider))
            view.add("factors", .array(session.factors.map { .string($0) }))
        }
    }

    static func audit(_ position: Int64, _ entry: AuditEntry) -> JSON {
        object { view in
            view.add("id", .integer(Int(position)))
            view.add("time", entry.time)
            view.add("by", .string(entry.initiator.kind.rawValue))
            view.add("name", .string(entry.initiator.name))
            view.add("from", .string(entry.initiator.address))
            view.add("action", .string(entry.action.rawValue))
            view.add("object", .string(entry.object))
            view.add("result", .string(entry.isRefused ? "refused" : "done"))
            view.add("detail", .string(entry.detail))
        }
    }

    static func preAuthKey(
        _ key: PreAuthKeyRecord, user: UserRecord?, at now: Timestamp, text: String? = nil
    ) -> JSON {
        object { view in
            view.add("id", .string(key.id.description))
            if let text { view.add("key", .string(text)) }
            view.add("prefix", .string(key.prefix))
            view.add("user", .string(user?.name ?? ""))
            view.add("reusable", .bool(key.isReusable))
            view.add("preApproved", .bool(key.isPreApproved))
            view.add("ephemeral", .bool(key.isEphemeral))
            view.add("used", .bool(key.used != nil))
            view.add("revoked", .bool(key.isRevoked))
            view.add("aclTags", .array(key.tags.map { .string($0) }))
            view.add("createdAt", key.created)
            view.add("expiration", key.expiry)
            view.add("usable", .bool(key.isUsable(at: now)))
        }
    }

    static func group(_ group: GroupRecord, members: [String]) -> JSON {
        object { view in
            view.add("name", .string(group.name))
            view.add("members", .array(members.map { .string($0) }))
            view.add("createdAt", group.created)
        }
    }

    static func client(
        _ client: ClientRecord, user: UserRecord?, keys: Int, at now: Timestamp, secret: String?
    ) -> JSON {
        object { view in
            view.add("id", .string(client.name))
            if let secret { view.add("secret", .string(secret)) }
            view.add("user", .string(user?.name ?? ""))
            view.add("purpose", .string(client.purpose))
            view.add("scopes", .array(client.scopes.map { .string($0.rawValue) }))
            view.add("tags", .array(client.tags.map { .string($0) }))
            view.add("keys", .integer(keys))
            view.add("createdAt", client.created)
            view.add("lastUsed", client.lastUsed)
            view.add("expiration", client.expiry)
            let state =
                client.isRevoked ? "revoked" : client.isLive(at: now) ? "good" : "expired"
            view.add("state", .string(state))
        }
    }

    static func node(
        _ node: NodeRecord, fullName: String, user: UserRecord?, isOnline: Bool, at now: Timestamp
    ) -> JSON {
        object { view in
            view.add("id", .string(node.id.description))
            view.add("name", .string(node.hostinfo.hostname))
            view.add("givenName", .string(node.name))
            view.add("fullName", .string(String(fullName.dropLast())))
            view.add("user", user.map { AdminView.user($0) } ?? .null)
            view.add("tags", .array(node.tags.map { .string($0) }))
            view.add(
                "ipAddresses", .array(node.addresses.map { .string($0.address.description) }))
            view.add("online", .bool(isOnline))
            view.add("lastSeen", node.lastSeen)
            view.add("createdAt", node.created)
            view.add("expiry", node.expiry)
            view.add("awaitsApproval", .bool(node.awaitsApproval))
            view.add("expired", .bool(node.isExpired(at: now)))
            view.add("ephemeral", .bool(node.isEphemeral))
            view.add("machineKey", .string(node.machineKey.description))
            view.add("nodeKey", .string(node.nodeKey.description))
            view.add("discoKey", .string(node.discoKey.description))
            view.add("endpoints", .array(node.endpoints.map { .string($0.description) }))
            view.add("homeRelay", .integer(node.homeDERP))
            view.add("os", .string(node.hostinfo.operatingSystem))
            view.add("clientVersion", .string(node.hostinfo.clientVersion))
            view.add("capabilityVersion", .integer(node.capabilityVersion))
            view.add("relaysFor", .array(node.relaysFor.map { .string($0) }))
            view.add("registerMethod", .string(method(node)))
            view.add("preAuthKeyId", node.preAuthKey.map { .string($0.description) } ?? .null)
            view.add("machineCertificate", certificate(node.certificate))
        }
    }

    private static func certificate(_ certificate: MachineCertificate?) -> JSON {
        guard let certificate else { return .null }
        return object { view in
            view.add("subject", .string(certificate.subject))
            view.add("keyHash", .string(Hexadecimal.encode(certificate.keyHash.array)))
            view.add("notAfter", certificate.notAfter)
            view.add("signedAt", certificate.signedAt)
        }
    }

    private static func method(_ node: NodeRecord) -> String {
        switch node.registration {
        case .preAuthKey: "REGISTER_METHOD_AUTH_KEY"
        case .approval: "REGISTER_METHOD_CLI"
        case .signIn: "REGISTER_METHOD_WEB"
        case .machineCertificate: "REGISTER_METHOD_MACHINE_CERTIFICATE"
        }
    }

    static func login(_ login: PendingLogin) -> JSON {
        object { view in
            view.add("authId", .string(login.id.text))
            view.add("hostname", .string(login.hostinfo.hostname))
            view.add("os", .string(login.hostinfo.operatingSystem))
            view.add("machineKey", .string(login.machineKey.description))
            view.add("nodeKey", .string(login.nodeKey.description))
            view.add("createdAt", login.created.wall)
        }
    }

    private static func object(_ build: (inout JSONObject) -> Void) -> JSON {
        var object = JSONObject()
        build(&object)
        return .object(object)
    }
}

extension JSONObject {
    fileprivate mutating func add(_ name: String, _ value: JSON) {
        members.append(Member(name, value))
    }
    /// Null for no time.
    fileprivate mutating func add(_ name: String, _ time: Timestamp?) {
        add(name, time.map { .string($0.description) } ?? .null)
    }
}
