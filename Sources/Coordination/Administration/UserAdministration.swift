import ControlMessages
package import NetTypes

extension Coordinator {
    package func createUser(
        name: String, displayName: String = "", role: UserRole = .member, at now: Timestamp
    ) throws(AdministrationRefusal) -> Decision<UserRecord> {
        guard Self.isUserName(name) else { throw .invalidUserName(name) }
        guard state.user(name: name) == nil else { throw .userExists(name) }
        var user = UserRecord(
            id: UserID(state.highest.user + 1), name: name, displayName: displayName, created: now)
        user.role = role
        return Decision(user, changes: [.user(user)])
    }

    /// Deletes a user without nodes, with the keys, the account and the sessions of that user.
    package func deleteUser(
        name: String
    ) throws(AdministrationRefusal) -> Decision<UserRecord> {
        let user = try user(named: name)
        let count = state.nodes.values.count { $0.user == user.id }
        guard count == 0 else { throw .userHasNodes(name, count: count) }
        try requireOtherOwner(than: user)
        let keys = state.sortedPreAuthKeys.filter { $0.user == user.id }
        var changes: [Change] = keys.map { .preAuthKeyRemoved($0.id) }
        changes += state.groups.values.filter { $0.members.contains(user.id) }
            .sorted { $0.name < $1.name }.map { group in
                var group = group
                group.members.removeAll { $0 == user.id }
                return .group(group)
            }
        changes += state.sortedClients.filter { $0.user == user.id }.map {
            .clientRemoved($0.number)
        }
        changes += state.sessions(of: user.id).map { .sessionRemoved($0.id) }
        if state.accounts[user.id] != nil { changes.append(.accountRemoved(user.id)) }
        return Decision(user, changes: changes + [.userRemoved(user.id)])
    }

    package func setRole(
        ofUser name: String, to role: UserRole
    ) throws(AdministrationRefusal) -> Decision<UserRecord> {
        var user = try user(named: name)
        guard user.role != role else { return Decision(user) }
        try requireOtherOwner(than: user)
        user.role = role
        return Decision(user, changes: [.user(user)])
    }

    /// Locks a user out: nodes expire, sessions end, keys are revoked, all at once.
    package func suspendUser(
        name: String, at now: Timestamp
    ) throws(AdministrationRefusal) -> Decision<UserRecord> {
        var user = try user(named: name)
        guard !user.isSuspended else { return Decision(user) }
        try requireOtherOwner(than: user)
        user.isSuspended = true
        var changes: [Change] = [.user(user)]
        for var node in state.sortedNodes
        where node.user == user.id && !node.isExpired(at: now) {
            node.expiry = now
            changes.append(.node(node))
        }
        changes += state.sessions(of: user.id).map { .sessionRemoved($0.id) }
        for var key in state.sortedPreAuthKeys where key.user == user.id && !key.isRevoked {
            key.isRevoked = true
            changes.append(.preAuthKey(key))
        }
        return Decision(user, changes: changes)
    }

    /// Lets a user sign in again. Nodes stay expired until they log in.
    package func resumeUser(
        name: String
    ) throws(AdministrationRefusal) -> Decision<UserRecord> {
        var user = try user(named: name)
        guard user.isSuspended else { return Decision(user) }
        user.isSuspended = false
        return Decision(user, changes: [.user(user)])
    }

    /// Links a user with an identity at a provider, which must be nobody else's.
    package func linkUser(
        name: String, with identity: UserIdentity
    ) throws(AdministrationRefusal) -> Decision<UserRecord> {
        var user = try user(named: name)
        if let other = state.user(identity: identity) {
            guard other.id == user.id else { throw .userExists(other.name) }
            return Decision(user)
        }
        user.identities.append(identity)
        return Decision(user, changes: [.user(user)])
    }

    /// Takes back what `linkUser` did. Sessions that began with it end.
    package func unlinkUser(
        name: String, from identity: UserIdentity
    ) throws(AdministrationRefusal) -> Decision<UserRecord> {
        var user = try user(named: name)
        guard user.identities.contains(identity) else { throw .unknownIdentity(name) }
        user.identities.removeAll { $0 == identity }
        // A session knows the provider's name in the configuration, an identity who vouches for it:
        // all end that this server has not begun by itself.
        let endings = state.sessions(of: user.id).filter { $0.provider != "local" }
        return Decision(
            user, changes: [.user(user)] + endings.map { .sessionRemoved($0.id) })
    }

    package func user(named name: String) throws(AdministrationRefusal) -> UserRecord {
        guard let user = state.user(name: name) else { throw .unknownUser(name) }
        return user
    }

    /// A network that once had an owner always has one.
    private func requireOtherOwner(than user: UserRecord) throws(AdministrationRefusal) {
        guard user.role == .owner, !user.isSuspended else { return }
        let hasOther = state.users.values.contains {
            $0.id != user.id && $0.role == .owner && !$0.isSuspended
        }
        guard hasOther else { throw .lastOwner(user.name) }
    }

    func requireActiveOwner(of node: NodeRecord) throws(AdministrationRefusal) {
        guard let user = node.user.flatMap({ state.users[$0] }), user.isSuspended else { return }
        throw .userSuspended(user.name)
    }

    // MARK: Names

    package static func isUserName(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        guard let first = bytes.first, bytes.count <= 64, isAlphanumeric(first) else {
            return false
        }
        return bytes.allSatisfy(isNameByte)
    }

    /// A user name made of what a provider calls somebody.
    package static func userName(from text: String) -> String {
        let bytes = text.utf8.filter(isNameByte).drop { !isAlphanumeric($0) }.prefix(56)
        return bytes.isEmpty ? "user" : String(decoding: bytes, as: UTF8.self)
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        isAlphanumeric(byte) || ".-_+@".utf8.contains(byte)
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20)
    }
}
