package import ControlMessages
internal import CryptoPrimitives
import NetTypes

// The stored form of records: JSON objects, whose members may grow in number but keep their meaning.

extension UserRecord: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        self.init(
            id: try object.read("id", or: UserID(0)), name: try object.read("name", or: ""),
            displayName: try object.read("displayName", or: ""),
            created: try object.read("created", or: .zero))
        // A role that this version does not know is no right at all.
        role = UserRole(rawValue: try object.read("role", or: "")) ?? .member
        isSuspended = try object.read("suspended", or: false)
        email = try object.read("email", or: "")
        groups = try object.read("groups", or: [])
        identities = try object.read("identities", or: [])
    }

    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.keep("id", id)
            writer.keep("name", name)
            writer.omit("displayName", displayName)
            writer.omit("created", created)
            writer.omit("role", role == .member ? "" : role.rawValue)
            writer.omit("suspended", isSuspended)
            writer.omit("email", email)
            writer.omit("groups", groups)
            writer.omit("identities", identities)
        }
    }
}

extension PreAuthKeyID: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) { self.init(try Int64(json: json)) }
    package func write(to writer: inout JSONWriter) { value.write(to: &writer) }
    package var isJSONZero: Bool { value == 0 }
}

extension PreAuthKeyRecord: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        let digits: String = try object.read("hash", or: "")
        guard let hash = Hexadecimal.decode(digits), hash.count == 32 else {
            throw MessageDecodingError(path: "hash", .unreadable(expected: "64 digits"))
        }
        self.init(
            id: try object.read("id", or: PreAuthKeyID(0)),
            prefix: try object.read("prefix", or: ""), hash: Bytes32(hash),
            user: try object.read("user", or: UserID(0)),
            created: try object.read("created", or: .zero))
        isReusable = try object.read("reusable", or: false)
        isEphemeral = try object.read("ephemeral", or: false)
        tags = try object.read("tags", or: [])
        expiry = try object.optional("expiry")
        isRevoked = try object.read("revoked", or: false)
        used = try object.optional("used")
        isPreApproved = try object.read("preApproved", or: false)
        client = try object.optional("client")
    }

    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.keep("id", id)
            writer.keep("prefix", prefix)
            writer.keep("hash", Hexadecimal.encode(hash.array))
            writer.keep("user", user)
            writer.omit("reusable", isReusable)
            writer.omit("ephemeral", isEphemeral)
            writer.omit("tags", tags)
            writer.omit("created", created)
            writer.omit("expiry", expiry)
            writer.omit("revoked", isRevoked)
            writer.omit("used", used)
            writer.omit("preApproved", isPreApproved)
            writer.omit("client", client)
        }
    }
}

extension NodeRecord: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        let method: String = try object.read("registration", or: "")
        guard let registration = RegistrationMethod(rawValue: method) else {
            throw MessageDecodingError(
                path: "registration", .unreadable(expected: "a way of registration"))
        }
        self.init(
            id: try object.read("id", or: NodeID(0)),
            machineKey: try object.read("machineKey", or: .zero),
            nodeKey: try object.read("nodeKey", or: .zero),
            name: try object.read("name", or: ""), created: try object.read("created", or: .zero),
            registration: registration)
        discoKey = try object.read("discoKey", or: .zero)
        user = try object.optional("user")
        tags = try object.read("tags", or: [])
        isNameChosen = try object.read("nameChosen", or: false)
        if case .v4(let address)? = try object.optional("ipv4", as: IPAddress.self) {
            ipv4 = address
        }
        if case .v6(let address)? = try object.optional("ipv6", as: IPAddress.self) {
            ipv6 = address
        }
        try readState(object)
    }

    private mutating func readState(_ object: JSONObject) throws(MessageDecodingError) {
        expiry = try object.optional("expiry")
        hostinfo = try object.read("hostinfo", or: Hostinfo())
        endpoints = try object.read("endpoints", or: [String]()).compactMap { Endpoint($0) }
        homeDERP = try object.read("homeDERP", or: 0)
        capabilityVersion = try object.read("capabilityVersion", or: 0)
        isEphemeral = try object.read("ephemeral", or: false)
        awaitsApproval = try object.read("awaitsApproval", or: false)
        preAuthKey = try object.optional("preAuthKey")
        relaysFor = try object.read("relaysFor", or: [])
        certificate = try object.optional("certificate")
        lastSeen = try object.optional("lastSeen")
    }

    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.keep("id", id)
            writer.keep("machineKey", machineKey)
            writer.keep("nodeKey", nodeKey)
            writer.omit("discoKey", discoKey)
            writer.omit("user", user)
            writer.omit("tags", tags)
            writer.keep("name", name)
            writer.omit("nameChosen", isNameChosen)
            writer.omit("ipv4", ipv4.map { IPAddress.v4($0) })
            writer.omit("ipv6", ipv6.map { IPAddress.v6($0) })
            writer.omit("created", created)
            writer.omit("expiry", expiry)
            writer.keep("hostinfo", hostinfo)
            writer.omit("endpoints", endpoints)
            writer.omit("homeDERP", homeDERP)
            writer.omit("capabilityVersion", capabilityVersion)
            writer.omit("ephemeral", isEphemeral)
            writer.omit("awaitsApproval", awaitsApproval)
            writer.keep("registration", registration.rawValue)
            writer.omit("preAuthKey", preAuthKey)
            writer.omit("relaysFor", relaysFor)
            writer.omit("certificate", certificate)
            writer.omit("lastSeen", lastSeen)
        }
    }
}

extension Change: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        guard let member = try JSONObject(json: json).members.first else {
            throw MessageDecodingError(.wrongType(expected: "a change"))
        }
        switch member.name {
        case "user": self = .user(try UserRecord(json: member.value))
        case "userRemoved": self = .userRemoved(try UserID(json: member.value))
        case "preAuthKey": self = .preAuthKey(try PreAuthKeyRecord(json: member.value))
        case "preAuthKeyRemoved":
            self = .preAuthKeyRemoved(try PreAuthKeyID(json: member.value))
        case "client": self = .client(try ClientRecord(json: member.value))
        case "clientRemoved": self = .clientRemoved(try ClientNumber(json: member.value))
        case "node": self = .node(try NodeRecord(json: member.value))
        case "nodeRemoved": self = .nodeRemoved(try NodeID(json: member.value))
        case "account": self = .account(try AccountRecord(json: member.value))
        case "accountRemoved": self = .accountRemoved(try UserID(json: member.value))
        case "session": self = .session(try SessionRecord(json: member.value))
        case "sessionRemoved": self = .sessionRemoved(try SessionID(json: member.value))
        case "group": self = .group(try GroupRecord(json: member.value))
        case "groupRemoved": self = .groupRemoved(try String(json: member.value))
        case "auditPruned": self = .auditPruned(try Timestamp(json: member.value))
        case "audit": self = .audit(try AuditEntry(json: member.value))
        default:
            throw MessageDecodingError(path: member.name, .unreadable(expected: "a change"))
        }
    }

    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            switch self {
            case .user(let record): writer.keep("user", record)
            case .userRemoved(let id): writer.keep("userRemoved", id)
            case .preAuthKey(let record): writer.keep("preAuthKey", record)
            case .preAuthKeyRemoved(let id): writer.keep("preAuthKeyRemoved", id)
            case .client(let record): writer.keep("client", record)
            case .clientRemoved(let number): writer.keep("clientRemoved", number)
            case .node(let record): writer.keep("node", record)
            case .nodeRemoved(let id): writer.keep("nodeRemoved", id)
            case .account(let record): writer.keep("account", record)
            case .accountRemoved(let id): writer.keep("accountRemoved", id)
            case .session(let record): writer.keep("session", record)
            case .sessionRemoved(let id): writer.keep("sessionRemoved", id)
            case .group(let record): writer.keep("group", record)
            case .groupRemoved(let name): writer.keep("groupRemoved", name)
            case .auditPruned(let time): writer.keep("auditPruned", time)
            case .audit(let entry): writer.keep("audit", entry)
            }
        }
    }
}
