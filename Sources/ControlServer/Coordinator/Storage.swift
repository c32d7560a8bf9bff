package import Coordination

/// Where the network is kept.
package struct Storage: Sendable {
    /// Stores changes in one transaction: all of them, or none and an error.
    package var commit: @Sendable ([Change]) async throws -> Void
    /// What is stored.
    package var load: @Sendable () async throws -> CoordinationState
    /// The newest entries of the audit log before a position (nil: all), newest first, at most so
    /// many.
    package var audit:
        @Sendable (Int64?, Int) async throws -> [(position: Int64, entry: AuditEntry)]

    package init(
        commit: @escaping @Sendable ([Change]) async throws -> Void,
        load: @escaping @Sendable () async throws -> CoordinationState,
        audit:
            @escaping @Sendable (Int64?, Int) async throws
            -> [(position: Int64, entry: AuditEntry)] = { _, _ in [] }
    ) {
        self.commit = commit
        self.load = load
        self.audit = audit
    }
}
