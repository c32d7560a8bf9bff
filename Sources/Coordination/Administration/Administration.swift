import ControlMessages
import CryptoPrimitives
package import NetTypes

/// Why an administrator's command is refused.
package enum AdministrationRefusal: Error, Equatable {
    case invalidUserName(String)
    case userExists(String)
    case unknownUser(String)
    case userHasNodes(String, count: Int)
    case unknownNode(String)
    case invalidNodeName(String)
    case nodeNameTaken(String)
    case unknownKey(String)
    case unknownClient(String)
    case invalidGroupName(String)
    case groupExists(String)
    case unknownGroup(String)
    case notInGroup(String, group: String)
    case unknownIdentity(String)
    case tooYoung
    case unknownScope(String)
    case invalidTag(String)
    case invalidRelayUser(String)
    case expiryInThePast
    case secretTooShort
    case secretTaken
    case unknownLogin(String)
    case userSuspended(String)
    case lastOwner(String)
    case unknownRole(String)
    case notPermitted
    case registration(RegistrationRefusal)

    package var text: String {
        switch self {
        case .invalidUserName(let name):
            "'\(name)' is no user name: 1 to 64 letters, digits, '.', '-', '_', '+' or '@', "
                + "starting with a letter or digit"
        case .userExists(let name): "there is a user '\(name)' already"
        case .unknownUser(let name):
            "there is no user '\(name)': see 'skein-server users list'"
        case .userHasNodes(let name, let count):
            "user '\(name)' still has \(count) node\(count == 1 ? "" : "s"): delete "
                + "\(count == 1 ? "it" : "them") first"
        case .unknownNode(let text):
            "there is no node '\(text)': see 'skein-server nodes list'"
        case .invalidNodeName(let name):
            "'\(name)' is no node name: 1 to 63 small letters, digits and '-', "
                + "with a letter or digit at both ends"
        case .nodeNameTaken(let name): "another node is called '\(name)' already"
        case .unknownKey(let text):
            "there is no pre-auth key '\(text)': see 'skein-server preauthkeys list'"
        case .invalidGroupName(let name):
            "'\(name)' is no name of a group: 1 to 64 letters, digits, '.', '-', '_', '+' or '@', "
                + "starting with a letter or digit"
        case .groupExists(let name): "there is a group '\(name)' already"
        case .unknownGroup(let name):
            "there is no group '\(name)': see 'skein-server groups list'"
        case .notInGroup(let user, let group): "'\(user)' is not in the group '\(group)'"
        case .unknownIdentity(let name):
            "'\(name)' is not linked with that: see 'skein-server users list --output json'"
        case .tooYoung: "entries of the last seven days stay"
        case .unknownClient(let text):
            "there is no client '\(text)': see 'skein-server clients list'"
        case .unknownScope(let text):
            "there is no scope '\(text)': there are "
                + ClientRecord.Scope.allCases.map(\.rawValue).joined(separator: ", ")
        case .invalidTag(let tag):
            "'\(tag)' is no tag: 'tag:' and a letter, then letters, digits or '-'"
        case .invalidRelayUser(let text):
            "'\(text)' is neither a user nor a tag: name users, tags such as tag:server, or * "
                + "for everybody"
        case .expiryInThePast: "the expiry is in the past"
        case .secretTooShort: "a pre-auth key needs at least 24 characters"
        case .secretTaken: "there is such a pre-auth key already"
        case .unknownLogin(let text):
            "no machine waits for approval under '\(text)': an ID is good for 15 minutes, "
                + "run 'up' again on the machine for a new one"
        case .userSuspended(let name): "user '\(name)' is suspended"
        case .lastOwner(let name):
            "'\(name)' is the only owner: make another user owner first"
        case .unknownRole(let text):
            "there is no role '\(text)': there are "
                + UserRole.allCases.map(\.rawValue).joined(separator: ", ")
        case .notPermitted: "your role does not permit that"
        case .registration(let refusal): refusal.text
        }
    }
}

extension Coordinator {
    // MARK: Pre-auth keys

    /// What a new pre-auth key is good for.
    package struct PreAuthKeyOptions: Sendable {
        package var isReusable = false
        package var isEphemeral = false
        package var isPreApproved = false
        /// The client that asks for it.
        package var client: ClientNumber?
        package var tags: [String] = []
        /// Nil: it does not expire.
        package var expiry: Timestamp?
        package init() {}
    }

    /// Makes a key. The reply has its text, which is not kept and never shown again.
    ///
    /// - Parameter imported: the text of a key made elsewhere, of any form, to be good here too.
    package func createPreAuthKey(
        user name: String, _ options: PreAuthKeyOptions, imported: String? = nil,
        at now: Timestamp, random: inout some RandomNumberGenerator
    ) throws(AdministrationRefusal) -> Decision<(record: PreAuthKeyRecord, text: String)> {
        let user = try user(named: name)
        if let tag = options.tags.first(where: { !Self.isTag($0) }) { throw .invalidTag(tag) }
        if let expiry = options.expiry, expiry <= now { throw .expiryInThePast }
        let text: String
        let prefix: String
        if let imported {
            guard imported.utf8.count >= 24 else { throw .secretTooShort }
            guard state.preAuthKey(text: imported) == nil else { throw .secretTaken }
            text = imported
            prefix = String(imported.prefix(12))
        } else {
            prefix = "skein-auth-" + Hexadecimal.encode(random.bytes(count: 6))
            text = prefix + "-" + Hexadecimal.encode(random.bytes(count: 32))
        }
        var key = PreAuthKeyRecord(
            id: PreAuthKeyID(state.highest.preAuthKey + 1), prefix: prefix,
            hash: PreAuthKeyRecord.hash(of: text), user: user.id, created: now)
        key.isReusable = options.isReusable
        key.isEphemeral = options.isEphemeral
        key.isPreApproved = options.isPreApproved
        key.client = options.client
        key.tags = options.tags.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
        key.expiry = options.expiry
        return Decision((key, text), changes: [.preAuthKey(key)])
    }

    /// Makes a key useless for new nodes; those it let in stay. `text` is its ID, its prefix or
    /// the whole key.
    package func revokePreAuthKey(
        _ text: String
    ) throws(AdministrationRefusal) -> Decision<PreAuthKeyRecord> {
        var match = Int64(text).flatMap { state.preAuthKeys[PreAuthKeyID($0)] }
        match = match ?? state.sortedPreAuthKeys.first { $0.prefix == text }
        guard var key = match ?? state.preAuthKey(text: text) else { throw .unknownKey(text) }
        guard !key.isRevoked else { return Decision(key) }
        key.isRevoked = true
        return Decision(key, changes: [.preAuthKey(key)])
    }

    /// Whether this has the form of a tag: `tag:` and a letter, then letters, digits and hyphens.
    package static func isTag(_ text: String) -> Bool {
        let name = Array(text.utf8.dropFirst(4))
        guard text.hasPrefix("tag:"), let first = name.first, (0x61...0x7A).contains(first | 0x20)
        else { return false }
        return name.count <= 50
            && name.allSatisfy {
                (0x61...0x7A).contains($0 | 0x20) || (0x30...0x39).contains($0) || $0 == 0x2D
            }
    }

    // MARK: Nodes

    /// Lets a node that waits take part.
    package func approveNode(
        _ text: String
    ) throws(AdministrationRefusal) -> Decision<NodeRecord> {
        var node = try node(text)
        guard node.awaitsApproval else { return Decision(node) }
        try requireActiveOwner(of: node)
        node.awaitsApproval = false
        return Decision(node, changes: [.node(node)])
    }

    /// A node by ID, name or address.
    package func node(_ text: String) throws(AdministrationRefusal) -> NodeRecord {
        let name = text.hasSuffix(".") ? String(text.dropLast()) : text
        let suffix = ".\(settings.baseDomain)"
        let label = name.hasSuffix(suffix) ? String(name.dropLast(suffix.count)) : name
        // A name may consist of digits, but whoever types digits means the ID.
        let match =
            Int64(text).flatMap { state.nodes[NodeID($0)] }
            ?? IPAddress(text).flatMap { state.node(address: $0) } ?? state.node(name: label)
        guard let match else { throw .unknownNode(text) }
        return match
    }

    /// Sets when a node's key expires: now when `expiry` is nil.
    package func expireNode(
        _ text: String, at expiry: Timestamp? = nil, now: Timestamp
    ) throws(AdministrationRefusal) -> Decision<NodeRecord> {
        var node = try node(text)
        if let expiry, expiry > now { try requireActiveOwner(of: node) }
        node.expiry = expiry ?? now
        return Decision(node, changes: [.node(node)])
    }

    /// Lets a node's key be good for ever.
    package func disableExpiry(
        ofNode text: String
    ) throws(AdministrationRefusal) -> Decision<NodeRecord> {
        var node = try node(text)
        guard node.expiry != nil else { return Decision(node) }
        try requireActiveOwner(of: node)
        node.expiry = nil
        return Decision(node, changes: [.node(node)])
    }

    package func renameNode(
        _ text: String, to name: String
    ) throws(AdministrationRefusal) -> Decision<NodeRecord> {
        var node = try node(text)
        guard NodeName.isLabel(name) else { throw .invalidNodeName(name) }
        if let other = state.node(name: name), other.id != node.id { throw .nodeNameTaken(name) }
        node.name = name
        node.isNameChosen = true
        return Decision(node, changes: [.node(node)])
    }

    /// Lets a node relay UDP for others: `*` for everybody, names of users, tags; none ends it.
    package func setRelay(
        ofNode text: String, for clients: [String]
    ) throws(AdministrationRefusal) -> Decision<NodeRecord> {
        var node = try node(text)
        for client in clients
        where client != "*" && !Self.isTag(client) && state.user(name: client) == nil {
            throw .invalidRelayUser(client)
        }
        node.relaysFor = clients.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
        return Decision(node, changes: [.node(node)])
    }

    package func deleteNode(
        _ text: String
    ) throws(AdministrationRefusal) -> Decision<NodeRecord> {
        let node = try node(text)
        return Decision(node, changes: [.nodeRemoved(node.id)])
    }

    // MARK: Logins

    package var waitingLogins: [PendingLogin] { pendingLogins.all.filter { !$0.isRejected } }

    package func waitingLogin(_ id: PendingLoginID) -> PendingLogin? {
        pendingLogins[id].flatMap { $0.isRejected ? nil : $0 }
    }

    /// Lets a waiting machine in as a node of a user, who said so at the pages (`.signIn`) or an
    /// administrator for them.
    package func approveLogin(
        _ id: PendingLoginID, user name: String, by method: RegistrationMethod = .approval,
        at now: Timestamp
    ) throws(AdministrationRefusal) -> Decision<NodeRecord> {
        let user = try user(named: name)
        guard !user.isSuspended else { throw .userSuspended(name) }
        guard let login = waitingLogin(id) else { throw .unknownLogin(id.text) }
        let admission = Admission(
            machineKey: login.machineKey, nodeKey: login.nodeKey, hostinfo: login.hostinfo,
            capabilityVersion: login.capabilityVersion, user: user.id, tags: [],
            isEphemeral: login.isEphemeral, requestedExpiry: login.requestedExpiry,
            registration: method, preAuthKey: nil,
            isApproved: method == .approval || user.role.managesDevices,
            certificate: login.certificate)
        do {
            let (changes, node) = try admit(admission, at: now)
            return Decision(node, changes: changes)
        } catch {
            throw .registration(error)
        }
    }

    /// Refuses a waiting machine; it is told so when it asks again.
    package mutating func rejectLogin(
        _ id: PendingLoginID
    ) throws(AdministrationRefusal) -> [CoordinationEvent] {
        guard waitingLogin(id) != nil else { throw .unknownLogin(id.text) }
        pendingLogins.reject(id)
        return [.loginSettled(id)]
    }
}
