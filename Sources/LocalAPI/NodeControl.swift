package import ControlMessages
package import NetTypes

/// What the local interface asks of a running node. The daemon implements it; a fake of it stands
/// behind the tests of the command line.
///
/// Whether the caller may ask is decided before: methods that change something are only reached by
/// root and the operator.
package protocol NodeControl: Sendable {
    /// - Parameter peers: Whether to fill in `peers` and `users`, which grow with the network.
    func status(peers: Bool) async -> Status

    func prefs() async -> Prefs

    /// Changes the settings that `change` names, and no others, and returns all of them.
    ///
    /// `WantRunning` set on a node that is not logged in waits for `login` or a `start` with a key.
    func edit(_ change: PrefsChange) async throws(NodeControlError) -> Prefs

    /// Logs in with a key, or, without one, takes up where the node was.
    func start(_ options: StartOptions) async throws(NodeControlError)

    /// Begins a login in a browser: the page to open arrives as `Status.authURL` and in a `Notify`.
    /// Returns at once.
    func login() async throws(NodeControlError)

    /// Tells the server to expire this node's key and forgets it.
    func logout() async throws(NodeControlError)

    /// Sends one ping to the peer that owns `address` and waits for the answer, at most five
    /// seconds. That no answer came is an `error` in the result and no thrown one.
    func ping(_ address: IPAddress, kind: PingKind) async throws(NodeControlError) -> PingResult

    /// The machine and the user behind a subject; nil when nobody known has it.
    func whoIs(_ subject: WhoIsSubject) async -> WhoIs?

    /// Measures the network now: takes up to a few seconds.
    func netcheck() async throws(NodeControlError) -> NetcheckReport

    /// The relays as the server described them last; nil before it did.
    func derpMap() async -> DERPMap?

    /// Runs an action for people who look into the daemon; `help` lists what there is.
    func debug(action: String) async throws(NodeControlError) -> JSON

    /// Follows the node: first one notice of what `mask` asks for at once, then the changes. The
    /// stream holds a bounded number of notices for a reader that does not keep up (`NotifyBus`).
    func watch(_ mask: NotifyMask) async -> AsyncStream<Notify>
}

/// Why a request was refused; the text is shown to the person who asked.
package struct NodeControlError: Error, Equatable, CustomStringConvertible {
    package enum Kind: Sendable {
        /// The request makes no sense.
        case badRequest
        /// No such peer, user, …
        case notFound
        /// Not in the state in which the node is now.
        case conflict
        /// Not now: the server cannot be reached, time ran out.
        case unavailable
        case internalError
    }
    package var kind: Kind
    /// One line that says what is wrong and what to do.
    package var message: String

    package init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    package var description: String { message }
}

/// The body of `start`.
package struct StartOptions: Sendable {
    /// A secret: never logged and never in an error.
    package var authKey: String?

    /// A node that is logged in is to get a new node key.
    package var renewsKey = false

    package init(authKey: String? = nil, renewsKey: Bool = false) {
        self.authKey = authKey
        self.renewsKey = renewsKey
    }
}

/// How to ping.
package enum PingKind: String, Sendable, CaseIterable {
    /// Over the path in use, answered by the peer's path engine.
    case disco
    /// Through the tunnel, answered by the peer's kernel.
    case icmp = "ICMP"
}

/// Whom `whois` asks about.
package enum WhoIsSubject: Hashable, Sendable {
    case address(IPAddress)
    case nodeKey(NodeKey)
}
