/// Where the node stands on the way to a working tunnel. The numbers are those of `Notify.State`.
package enum BackendState: Int, Sendable, CaseIterable {
    case noState = 0
    case inUseOtherUser
    case needsLogin
    case needsMachineAuth
    case stopped
    case starting
    case running

    /// As `Status.BackendState` writes it.
    package var name: String {
        switch self {
        case .noState: "NoState"
        case .inUseOtherUser: "InUseOtherUser"
        case .needsLogin: "NeedsLogin"
        case .needsMachineAuth: "NeedsMachineAuth"
        case .stopped: "Stopped"
        case .starting: "Starting"
        case .running: "Running"
        }
    }

    package init?(name: String) {
        guard let state = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = state
    }
}
