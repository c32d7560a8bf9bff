package import Coordination

/// Where the network is kept.
package struct Storage: Sendable {
    /// Stores changes in one transaction: all of them, or none and an error.
    package var commit: @Sendable ([Change]) async throws -> Void
    /// What is stored.
    package var load: @Sendable () async throws -> CoordinationState

    package init(
        commit: @escaping @Sendable ([Change]) async throws -> Void,
        load: @escaping @Sendable () async throws -> CoordinationState
    ) {
        self.commit = commit
        self.load = load
    }
}
