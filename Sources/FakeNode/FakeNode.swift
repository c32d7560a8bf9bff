package import ControlMessages
package import LocalAPI
package import NetTypes

/// A node that only pretends, for tests of the local interface and of the command line.
package actor FakeNode: NodeControl {
    package var status = Status()
    package var settings = Prefs()
    /// What was asked, in order, in words.
    package private(set) var calls: [String] = []
    /// The state after a login with a key or after `finishLogin`.
    package var stateAfterLogin = BackendState.running
    /// Makes `start` fail.
    package var refusal: NodeControlError?
    /// The answers to pings, in order; the last one is repeated.
    package var pings: [PingResult] = []
    package var report = NetcheckReport()
    package var machines: [WhoIsSubject: WhoIs] = [:]
    package let bus = NotifyBus()

    package init() {}

    /// Arranges the node: `await node.with { $0.status.version = "1" }`.
    package func with(_ body: @Sendable (isolated FakeNode) -> Void) { body(self) }

    package func status(peers: Bool) -> Status {
        guard !peers else { return status }
        var short = status
        short.peers = [:]
        short.users = [:]
        return short
    }

    package func prefs() -> Prefs { settings }

    package func edit(_ change: PrefsChange) throws(NodeControlError) -> Prefs {
        calls.append("edit \(String(decoding: change.jsonBytes, as: UTF8.self))")
        settings.apply(change)
        if let wants = change.wantsRunning, status.haveNodeKey {
            enter(wants ? .running : .stopped)
        }
        return settings
    }

    package func start(_ options: StartOptions) throws(NodeControlError) {
        calls.append("start \(options.authKey ?? "without a key")")
        if let refusal { throw refusal }
        finishLogin()
    }

    package func login() throws(NodeControlError) {
        calls.append("login")
        status.authURL = "https://mesh.example/register/abc"
        var notify = Notify()
        notify.browseToURL = status.authURL
        bus.publish(notify)
    }

    package func logout() throws(NodeControlError) {
        calls.append("logout")
        status.haveNodeKey = false
        enter(.needsLogin)
    }

    package func ping(
        _ address: IPAddress, kind: PingKind
    ) throws(NodeControlError) -> PingResult {
        calls.append("ping \(address) \(kind.rawValue)")
        guard let first = pings.first else { throw NodeControlError(.notFound, "no such peer") }
        if pings.count > 1 { pings.removeFirst() }
        return first
    }

    package func whoIs(_ subject: WhoIsSubject) -> WhoIs? { machines[subject] }

    package func netcheck() throws(NodeControlError) -> NetcheckReport { report }

    package func derpMap() -> DERPMap? { nil }

    package func debug(action: String) throws(NodeControlError) -> JSON {
        calls.append("debug \(action)")
        guard action == "help" else { throw NodeControlError(.badRequest, "no such action") }
        return .array([.string("help")])
    }

    package func watch(_ mask: NotifyMask) -> AsyncStream<Notify> {
        var first = Notify()
        if mask.contains(.initialState) { first.state = status.backendState }
        if mask.contains(.initialPrefs) { first.prefs = settings }
        return bus.watch(first: first)
    }

    /// As when a person opened the page and the server said yes.
    package func finishLogin() {
        status.haveNodeKey = true
        status.authURL = ""
        enter(stateAfterLogin)
    }

    package func enter(_ state: BackendState) {
        status.backendState = state
        var notify = Notify()
        notify.state = state
        bus.publish(notify)
    }
}
