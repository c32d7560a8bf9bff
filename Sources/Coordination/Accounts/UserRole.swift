/// What a user may do besides using the network.
package enum UserRole: String, CaseIterable, Sendable {
    /// Everything; at least one owner remains.
    case owner
    /// Everything but making and changing owners.
    case admin
    /// Lets machines in, renames, expires and removes anybody's.
    case `operator`
    /// Has machines of their own.
    case member
    /// Sees everything, changes nothing but what is their own.
    case auditor

    /// Users, their roles, passwords and sessions.
    package var managesUsers: Bool { self == .owner || self == .admin }
    /// Machines of others.
    package var managesDevices: Bool { managesUsers || self == .operator }
    /// Users, machines and the audit log.
    package var seesEverything: Bool { managesDevices || self == .auditor }

    /// Whether a user of this role may change a user of the other.
    package func mayChange(_ other: UserRole) -> Bool {
        self == .owner || managesUsers && other != .owner
    }
}

/// Names a person at a provider of identities. The subject never changes and never goes to somebody
/// else, as names and e-mail addresses do.
package struct UserIdentity: Hashable, Sendable {
    /// Who vouches for the person: an issuer's or entity's own name, or a provider's name in the
    /// configuration where it has no other; `local` for accounts of this server.
    package var provider: String
    package var subject: String

    package init(provider: String, subject: String) {
        self.provider = provider
        self.subject = subject
    }
}
