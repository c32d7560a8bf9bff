package import ControlMessages
package import NetTypes

/// What the operator chose and what follows from it.
package struct CoordinationSettings: Sendable {
    /// What nodes are told to connect to, without a trailing slash.
    package var serverURL: String
    /// Nodes are called `name.baseDomain`. No trailing dot.
    package var baseDomain: String
    /// Where IPv4 addresses come from: within `tunnelIPv4`, which is what official clients take for
    /// addresses of a mesh network. Nil for none.
    package var ipv4Range: IPPrefix?
    /// Where IPv6 addresses come from: within `tunnelIPv6`. Nil for none.
    package var ipv6Range: IPPrefix?
    /// How long a node key of a user's node is good for; nil for ever.
    package var keyLifetime: Nanoseconds?
    /// The same for the nodes of a user, by name, or with a tag, the shortest of several; zero for
    /// ever. Nodes with tags that are not among these do not expire.
    package var keyLifetimes: [String: Nanoseconds] = [:]
    /// An ephemeral node is removed when it was offline for so long.
    package var ephemeralTimeout: Nanoseconds = .minutes(30)
    /// A node whose last connection ended is called offline only after this.
    package var offlineGrace: Nanoseconds = .seconds(10)
    package var pendingLoginLifetime: Nanoseconds = .minutes(15)
    package var pendingLoginCapacity = 1024
    package var derpMap: DERPMap
    /// Whether a new node waits until somebody approves it.
    package var requiresApproval = false
    package var machineCertificates = MachineCertificateMode.off
    /// Whether there is a rule by which certificates name users. Where they are required, a node then
    /// belongs to the user whom its certificate names, or has tags.
    package var machineCertificatesNameOwners = false

    package init(serverURL: String, baseDomain: String, derpMap: DERPMap) {
        self.serverURL = serverURL.hasSuffix("/") ? String(serverURL.dropLast()) : serverURL
        self.baseDomain = baseDomain
        self.derpMap = derpMap
        ipv4Range = .tunnelIPv4
        ipv6Range = .tunnelIPv6
        keyLifetime = nil
    }
}
