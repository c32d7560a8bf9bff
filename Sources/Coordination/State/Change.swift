package import ControlMessages
package import NetTypes

/// A step from one state of the network to the next. What is stored, logged and told to nodes
/// follows from it.
package enum Change: Equatable, Sendable {
    /// A new user, or new values for a known one.
    case user(UserRecord)
    case userRemoved(UserID)
    case preAuthKey(PreAuthKeyRecord)
    case preAuthKeyRemoved(PreAuthKeyID)
    case client(ClientRecord)
    case clientRemoved(ClientNumber)
    case node(NodeRecord)
    case nodeRemoved(NodeID)
    case account(AccountRecord)
    case accountRemoved(UserID)
    case session(SessionRecord)
    case sessionRemoved(SessionID)
    /// A line of the audit log, which is part of the store but of no state.
    case audit(AuditEntry)
    case group(GroupRecord)
    case groupRemoved(String)
    /// Entries of the audit log from before this time go.
    case auditPruned(Timestamp)
}

/// What was decided: the changes to store, and what to reply once they are stored.
package struct Decision<Reply: Sendable>: Sendable {
    package var changes: [Change]
    package var reply: Reply

    package init(_ reply: Reply, changes: [Change] = []) {
        self.changes = changes
        self.reply = reply
    }
}
