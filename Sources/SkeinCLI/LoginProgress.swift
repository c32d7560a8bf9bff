import ControlMessages
import LocalAPI

/// Takes a node from where it is to running, and shows a person what to do on the way.
struct LoginProgress: Sendable {
    struct Outcome: Sendable {
        var state: BackendState
        /// Why the node does not run; nil when it does.
        var failure: String?
    }

    var client: LocalClient
    /// A secret: never in what is printed.
    var key: String?
    var json: Bool
    /// A node that is logged in is to log in again, for a new key.
    var renews = false

    /// Returns when the node runs, waits for an administrator, or cannot log in.
    func follow() async throws -> Outcome {
        var hasBegun = false
        var hasAsked = false
        var isRenewing = false
        // The request follows the first notice, so that nothing of what it causes is missed.
        return try await client.watch([.initialState]) { notify throws(LocalClientError) in
            if hasBegun, let message = notify.errorMessage {
                return Outcome(state: .needsLogin, failure: message)
            }
            let isFirst = !hasBegun
            hasBegun = true
            if let url = notify.browseToURL { show(url) }
            if notify.state == .starting, !json, Terminal.current.isInteractive {
                Terminal.remark("Connecting …")
            }
            if renews, isFirst, notify.state != .needsLogin, notify.state != .noState {
                hasAsked = true
                isRenewing = true
                try await ask()
                return nil
            }
            if isRenewing {
                return notify.loginFinished ? Outcome(state: .running) : nil
            }
            switch notify.state {
            case .running, .needsMachineAuth:
                return Outcome(state: notify.state ?? .running)
            case .needsLogin where !hasAsked, .noState where !hasAsked:
                hasAsked = true
                try await ask()
                return nil
            default: return nil
            }
        }
    }

    private func ask() async throws(LocalClientError) {
        if let key {
            try await client.start(StartOptions(authKey: key, renewsKey: renews))
            return
        }
        let before = try await client.status(peers: false).authURL
        try await client.login()
        // The page of a login that goes on is not announced again.
        let after = try await client.status(peers: false).authURL
        if !after.isEmpty, after == before { show(after) }
    }

    private func show(_ url: String) {
        if json {
            report(["AuthURL": .string(url), "BackendState": .string("NeedsLogin")])
        } else {
            Terminal.remark("\nTo log this machine in, open:\n\n\t\(url)\n")
        }
    }

    func reasonForDelay(after limit: TimeSpan) async throws -> String {
        let status = try await client.status(peers: false)
        let reason = status.health.first ?? "the node is in state \(status.backendState.name)"
        return "not connected within \(limit.duration): \(reason)\n"
            + "The daemon keeps trying; 'skein status' shows how it goes."
    }
}
