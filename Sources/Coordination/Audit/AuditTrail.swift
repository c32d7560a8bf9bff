import ControlMessages
package import NetTypes

extension CoordinationState {
    /// What the audit log says of changes before they are applied.
    ///
    /// It is read off the changes, so no way of making one can forget it. Changes that come by
    /// themselves all the time (endpoints, last use) leave no entry.
    package func auditEntries(
        of changes: [Change], by initiator: Initiator, at now: Timestamp
    ) -> [AuditEntry] {
        var entries: [AuditEntry] = []
        func add(_ action: AuditEntry.Action, _ object: String, _ detail: String = "") {
            entries.append(AuditEntry(time: now, by: initiator, action, object, detail: detail))
        }
        for change in changes {
            switch change {
            case .node(let record): audit(record, add)
            case .nodeRemoved(let id):
                if let node = nodes[id] { add(.nodeRemoved, Self.label(node)) }
            case .user(let record): audit(record, add)
            case .userRemoved(let id):
                if let user = users[id] { add(.userDeleted, "user \(user.name)") }
            case .preAuthKey(let record): audit(record, add)
            case .preAuthKeyRemoved(let id):
                if let key = preAuthKeys[id] { add(.keyRemoved, "key \(key.prefix)") }
            case .client(let record): audit(record, add)
            case .clientRemoved(let number):
                if let client = clients[number] { add(.clientRemoved, "client \(client.name)") }
            case .account(let record): audit(record, among: changes, add)
            // The session's beginning and end are told by whoever decides them: only they know why.
            case .group(let record): audit(record, add)
            case .groupRemoved(let name): add(.groupRemoved, "group \(name)")
            case .auditPruned(let time): add(.auditPruned, "audit log", "before \(time)")
            case .accountRemoved, .session, .sessionRemoved, .audit: break
            }
        }
        return entries
    }

    private typealias Add = (AuditEntry.Action, String, String) -> Void

    private static func label(_ node: NodeRecord) -> String { "node \(node.name) (\(node.id))" }

    private func audit(_ record: NodeRecord, _ add: Add) {
        let label = Self.label(record)
        let owner =
            record.user.flatMap { users[$0] }.map { "user \($0.name)" }
            ?? record.tags.joined(separator: " ")
        guard let old = nodes[record.id] else {
            var how = record.registration.rawValue
            if let key = record.preAuthKey.flatMap({ preAuthKeys[$0] }) { how += " \(key.prefix)" }
            if record.awaitsApproval { how += ", waits for approval" }
            add(.nodeJoined, label, "\(owner), by \(how)")
            return
        }
        if old.awaitsApproval, !record.awaitsApproval { add(.nodeApproved, label, owner) }
        if old.name != record.name { add(.nodeRenamed, label, "was \(old.name)") }
        if old.user != record.user || old.tags != record.tags {
            add(.nodeOwnerChanged, label, owner)
        }
        if old.nodeKey != record.nodeKey {
            add(.nodeKeyChanged, label, "by \(record.registration.rawValue)")
        } else if old.expiry != record.expiry {
            add(.nodeExpiryChanged, label, record.expiry.map { "\($0)" } ?? "never")
        }
    }

    private func audit(_ record: UserRecord, _ add: Add) {
        let label = "user \(record.name)"
        guard let old = users[record.id] else {
            add(.userCreated, label, record.role.rawValue)
            return
        }
        if old.name != record.name { add(.userRenamed, label, "was \(old.name)") }
        if old.role != record.role {
            add(.roleChanged, label, "\(record.role.rawValue), was \(old.role.rawValue)")
        }
        if old.isSuspended != record.isSuspended {
            add(record.isSuspended ? .userSuspended : .userResumed, label, "")
        }
        for identity in record.identities where !old.identities.contains(identity) {
            add(.identityLinked, label, identity.provider)
        }
        for identity in old.identities where !record.identities.contains(identity) {
            add(.identityUnlinked, label, identity.provider)
        }
    }

    private func audit(_ record: ClientRecord, _ add: Add) {
        let label = "client \(record.name)"
        let owner = users[record.user].map { "user \($0.name)" } ?? ""
        guard let old = clients[record.number] else {
            let rights = record.scopes.map(\.rawValue) + record.tags
            add(.clientCreated, label, ([owner] + rights).joined(separator: " "))
            return
        }
        if record.isRevoked, !old.isRevoked { add(.clientRevoked, label, owner) }
    }

    private func audit(_ record: GroupRecord, _ add: Add) {
        let label = "group \(record.name)"
        let old = groups[record.name]
        if old == nil { add(.groupCreated, label, "") }
        func name(_ user: UserID) -> String { users[user].map(\.name) ?? "\(user)" }
        for user in record.members where old?.members.contains(user) != true {
            add(.groupMemberAdded, label, "user \(name(user))")
        }
        for user in old?.members ?? [] where !record.members.contains(user) {
            add(.groupMemberRemoved, label, "user \(name(user))")
        }
    }

    private func audit(_ record: PreAuthKeyRecord, _ add: Add) {
        let label = "key \(record.prefix)"
        let owner = users[record.user].map { "user \($0.name)" } ?? ""
        if let old = preAuthKeys[record.id] {
            if record.isRevoked, !old.isRevoked { add(.keyRevoked, label, owner) }
        } else {
            add(
                .keyCreated, label,
                (record.tags.isEmpty ? [owner] : record.tags).joined(separator: " "))
        }
    }

    private func audit(_ record: AccountRecord, among changes: [Change], _ add: Add) {
        // The user may be new with the same changes.
        let fresh = changes.lazy.compactMap { change -> UserRecord? in
            if case .user(let user) = change, user.id == record.user { user } else { nil }
        }.first
        let label = "user \((fresh ?? users[record.user])?.name ?? "\(record.user)")"
        let old = accounts[record.user] ?? AccountRecord(user: record.user)
        // A hash made anew at another cost does not change the time.
        if old.passwordChanged != record.passwordChanged, record.hasPassword {
            add(.passwordChanged, label, record.isPasswordTemporary ? "temporary" : "")
        }
        if old.hasPassword, !record.hasPassword { add(.passwordRemoved, label, "") }
        switch (old.oneTimeCodes?.secret, record.oneTimeCodes?.secret) {
        case (let old?, let new?) where old == new: break
        case (_, _?): add(.secondFactorSetUp, label, "one-time codes")
        case (_?, nil): add(.secondFactorRemoved, label, "one-time codes")
        case (nil, nil): break
        }
        for passkey in record.passkeys where !old.passkeys.contains(where: { $0.id == passkey.id })
        {
            add(.passkeyAdded, label, "\(passkey.name) (\(passkey.shortID))")
        }
        for passkey in old.passkeys where !record.passkeys.contains(where: { $0.id == passkey.id })
        {
            add(.passkeyRemoved, label, "\(passkey.name) (\(passkey.shortID))")
        }
        let added = record.recoveryCodes.contains { !old.recoveryCodes.contains($0) }
        if added {
            add(.recoveryCodesMade, label, "")
        } else if !record.recoveryCodes.isEmpty || record.hasSecondFactor,
            record.recoveryCodes.count < old.recoveryCodes.count
        {
            add(.recoveryCodeUsed, label, "\(record.recoveryCodes.count) left")
        }
    }
}
