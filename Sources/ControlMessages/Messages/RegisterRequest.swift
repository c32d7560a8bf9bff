package import NetTypes

/// A node asks to be registered, to stay so, to change its key or to leave (control protocol §4.1).
package struct RegisterRequest: Equatable, Sendable {
    /// Not the capability version: official clients send 1 here. That one is in the Noise header.
    package var version: Int
    package var nodeKey: NodeKey
    /// Zero on a first registration.
    package var oldNodeKey: NodeKey
    package var networkLockKey: NetworkLockKey
    /// A pre-auth key.
    package var authKey: String?
    /// The expiry that is asked for; zero when none, in the past to log out.
    package var expiry: Timestamp
    /// The AuthURL whose outcome the node waits for; empty when none.
    package var followup: String
    package var hostinfo: Hostinfo?
    package var isEphemeral: Bool
    package var nodeKeySignature: Base64Bytes?
    /// Nil for a machine that does not sign, as most.
    package var machineSignature: MachineSignature?
    package var tailnet: String

    package init(
        version: Int = 1, nodeKey: NodeKey, oldNodeKey: NodeKey = .zero,
        networkLockKey: NetworkLockKey = .zero, authKey: String? = nil, expiry: Timestamp = .zero,
        followup: String = "", hostinfo: Hostinfo? = nil, isEphemeral: Bool = false
    ) {
        self.version = version
        self.nodeKey = nodeKey
        self.oldNodeKey = oldNodeKey
        self.networkLockKey = networkLockKey
        self.authKey = authKey
        self.expiry = expiry
        self.followup = followup
        self.hostinfo = hostinfo
        self.isEphemeral = isEphemeral
        nodeKeySignature = nil
        machineSignature = nil
        tailnet = ""
    }
}

extension RegisterRequest: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        version = try object.read("Version", or: 0)
        nodeKey = try object.read("NodeKey", or: .zero)
        oldNodeKey = try object.read("OldNodeKey", or: .zero)
        networkLockKey = try object.read("NLKey", or: .zero)
        authKey = try object.optional("Auth", as: JSONObject.self)?.optional("AuthKey")
        if authKey == "" { authKey = nil }
        expiry = try object.read("Expiry", or: .zero)
        followup = try object.read("Followup", or: "")
        hostinfo = try object.optional("Hostinfo")
        isEphemeral = try object.read("Ephemeral", or: false)
        nodeKeySignature = try object.optional("NodeKeySignature")
        machineSignature = try MachineSignature(in: object)
        tailnet = try object.read("Tailnet", or: "")
    }

    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.keep("Version", version)
            writer.keep("NodeKey", nodeKey)
            writer.keep("OldNodeKey", oldNodeKey)
            writer.keep("NLKey", networkLockKey)
            if let authKey {
                writer.key("Auth")
                writer.object { $0.keep("AuthKey", authKey) }
            }
            writer.keep("Expiry", expiry)
            writer.keep("Followup", followup)
            writer.keep("Hostinfo", hostinfo)
            writer.omit("Ephemeral", isEphemeral)
            writer.keep("NodeKeySignature", nodeKeySignature)
            machineSignature?.write(into: &writer)
            writer.omit("Tailnet", tailnet)
        }
    }
}

/// The answer to a `RegisterRequest` (control protocol §4.2).
package struct RegisterResponse: Equatable, Sendable {
    package var user: User
    package var login: Login
    package var isNodeKeyExpired: Bool
    package var isMachineAuthorized: Bool
    /// Where a person completes the login; empty when nothing is left to do.
    package var authURL: String
    package var nodeKeySignature: Base64Bytes?
    /// Shown to the user as it is; when set, nothing else counts.
    package var error: String

    package init(
        user: User = User(), login: Login = Login(), isNodeKeyExpired: Bool = false,
        isMachineAuthorized: Bool = false, authURL: String = "", error: String = ""
    ) {
        self.user = user
        self.login = login
        self.isNodeKeyExpired = isNodeKeyExpired
        self.isMachineAuthorized = isMachineAuthorized
        self.authURL = authURL
        nodeKeySignature = nil
        self.error = error
    }
}

extension RegisterResponse: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        user = try object.read("User", or: User())
        login = try object.read("Login", or: Login())
        isNodeKeyExpired = try object.read("NodeKeyExpired", or: false)
        isMachineAuthorized = try object.read("MachineAuthorized", or: false)
        authURL = try object.read("AuthURL", or: "")
        nodeKeySignature = try object.optional("NodeKeySignature")
        error = try object.read("Error", or: "")
    }

    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.keep("User", user)
            writer.keep("Login", login)
            writer.keep("NodeKeyExpired", isNodeKeyExpired)
            writer.keep("MachineAuthorized", isMachineAuthorized)
            writer.keep("AuthURL", authURL)
            writer.keep("NodeKeySignature", nodeKeySignature)
            writer.keep("Error", error)
        }
    }
}
