package import ControlMessages
package import Coordination
package import MachineCertificates
package import NetTypes
package import SignIn

/// What the operator set in the configuration file; everything has a default.
package struct ServerConfiguration: Sendable {
    /// What nodes are told to connect to: `https://host[:port]`, or `http` behind a proxy and for
    /// trials. Without a slash at the end.
    package var serverURL = "http://127.0.0.1:8080"
    package var listen = Endpoint(.v4(.any), port: 8080)
    package var stateDirectory = "/var/lib/skein-server"
    /// Nil: connections are plain, as behind a proxy that ends TLS.
    package var tls: TLSFiles?
    package var relay = Relay()
    /// Proxies whose `X-Forwarded-For` is believed.
    package var trustedProxies: [IPPrefix] = []
    /// How long a node key is good for; nil for ever.
    package var keyLifetime: Nanoseconds? = .seconds(180 * 86_400)
    /// The same for the nodes of a user or with a tag; zero for ever.
    package var keyLifetimes: [String: Nanoseconds] = [:]
    package var ephemeralTimeout = Nanoseconds.minutes(30)
    /// Whether a new node waits until somebody approves it.
    package var requiresApproval = false
    /// Nodes are called `name.baseDomain`.
    package var baseDomain = "skein.internal"
    package var ipv4Range: IPPrefix? = .tunnelIPv4
    package var ipv6Range: IPPrefix? = .tunnelIPv6
    /// How people sign in at the pages.
    package var signIn = SignInSettings()
    /// Whether people may use passkeys, where browsers allow them at this server's address.
    package var hasPasskeys = true
    package var machineCertificates = MachineCertificateSettings()
    /// Who else may say who somebody is, in the order of the buttons.
    package var providers: [ProviderConfiguration] = []

    /// PEM files.
    package struct TLSFiles: Equatable, Sendable {
        package var certificate: String
        package var key: String

        package init(certificate: String, key: String) {
            self.certificate = certificate
            self.key = key
        }
    }

    /// The embedded relay, reached at the same address as the server.
    package struct Relay: Equatable, Sendable {
        package var isEnabled = true
        package var regionID = 999
        package var regionCode = "skein"
        package var regionName = "Skein"
        /// Nil: no STUN.
        package var stunListen: Endpoint? = Endpoint(.v4(.any), port: 3478)
        /// Another address of the machine that STUN answers from when a node wants to know how its
        /// NAT filters (RFC 5780).
        package var stunAlternate: IPAddress?
        /// The relay's addresses where DNS should not be asked for them; empty to ask it.
        package var ipv4 = ""
        package var ipv6 = ""
        /// The file with the secret that the relays of this region share; nil: it has no others.
        package var meshKeyFile: String?
        /// The relays of this region, this one itself included or not.
        package var meshWith: [RelayAddress] = []
        /// A PEM file with authorities that relays and `verifyClients` may have certificates of,
        /// besides the system's.
        package var trustFile: String?
        /// Where a relay that runs by itself asks whether it may serve a node; nil: it serves all.
        package var verifyClients: String?
        /// Whether nodes are served while nobody answers that.
        package var verifiesOpenly = true
        /// Relays elsewhere that nodes are told of.
        package var regions: [DERPRegion] = []

        package init() {}
    }

    /// Where a relay is reached.
    package struct RelayAddress: Equatable, Sendable {
        package var isSecure: Bool
        package var host: String
        package var port: UInt16

        /// Reads `https://host[:port]`; nil for any other text.
        package init?(url: String) {
            let trimmed = url.hasSuffix("/") ? String(url.dropLast()) : url
            guard let parts = ServerConfiguration.hostAndPort(ofURL: trimmed) else { return nil }
            isSecure = trimmed.hasPrefix("https://")
            host = parts.host
            port = parts.port
        }
    }

    package init() {}

    /// Where the parts of a running server meet the commands of an administrator.
    package var adminSocket: String { stateDirectory + "/admin.sock" }

    /// The host of `serverURL`, without brackets.
    package var serverHost: String { address.host }
    /// The port of `serverURL`, or the default one of its scheme.
    package var serverPort: UInt16 { address.port }

    private var address: (host: String, port: UInt16) {
        // Checked when it was read.
        Self.hostAndPort(ofURL: serverURL) ?? ("127.0.0.1", 80)
    }

    /// What the coordinator has to know.
    package var coordinationSettings: CoordinationSettings {
        var settings = CoordinationSettings(
            serverURL: serverURL, baseDomain: baseDomain, derpMap: derpMap)
        settings.ipv4Range = ipv4Range
        settings.ipv6Range = ipv6Range
        settings.keyLifetime = keyLifetime
        settings.keyLifetimes = keyLifetimes
        settings.ephemeralTimeout = ephemeralTimeout
        settings.requiresApproval = requiresApproval
        settings.machineCertificates = machineCertificates.mode
        settings.machineCertificatesNameOwners = machineCertificates.owner != nil
        return settings
    }

    /// The relays that nodes are told of: the embedded one, and those named beside it.
    package var derpMap: DERPMap {
        var regions: [Int: DERPRegion] = [:]
        if relay.isEnabled {
            regions[relay.regionID] = DERPRegion(
                id: relay.regionID, code: relay.regionCode, name: relay.regionName,
                nodes: [embeddedNode])
        }
        for region in relay.regions {
            regions[region.id, default: DERPRegion(region, nodes: [])].nodes += region.nodes
        }
        return DERPMap(regions: regions)
    }

    private var embeddedNode: DERPNode {
        var node = DERPNode(
            name: "\(relay.regionID)a", regionID: relay.regionID,
            at: RelayAddress(isSecure: true, host: serverHost, port: serverPort))
        node.stunPort = relay.stunListen.map { Int($0.port) } ?? -1
        if !relay.ipv4.isEmpty { node.ipv4 = relay.ipv4 }
        if !relay.ipv6.isEmpty { node.ipv6 = relay.ipv6 }
        return node
    }

    /// The parts of `http://host[:port]` or `https://…`; nil for any other text.
    static func hostAndPort(ofURL url: String) -> (host: String, port: UInt16)? {
        let isSecure = url.hasPrefix("https://")
        guard isSecure || url.hasPrefix("http://") else { return nil }
        let rest = url.dropFirst(isSecure ? 8 : 7)
        guard !rest.isEmpty, !rest.contains("/"), !rest.contains("?"), !rest.contains("@"),
            !rest.contains(" ")
        else { return nil }
        let standard: UInt16 = isSecure ? 443 : 80
        if let endpoint = Endpoint(rest) { return (endpoint.address.description, endpoint.port) }
        if rest.hasPrefix("["), rest.hasSuffix("]") {
            return IPv6Address(rest.dropFirst().dropLast()).map { ($0.description, standard) }
        }
        let parts = rest.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count <= 2, !parts[0].isEmpty else { return nil }
        if parts.count == 1 { return (String(parts[0]), standard) }
        guard let port = UInt16(parts[1]), port > 0 else { return nil }
        return (String(parts[0]), port)
    }
}

extension ServerConfiguration.RelayAddress {
    init(isSecure: Bool, host: String, port: UInt16) {
        self.isSecure = isSecure
        self.host = host
        self.port = port
    }
}

extension DERPNode {
    /// A host that is an address needs no DNS.
    init(name: String, regionID: Int, at address: ServerConfiguration.RelayAddress) {
        self.init(name: name, regionID: regionID, hostName: address.host)
        derpPort = address.port == 443 ? 0 : Int(address.port)
        switch IPAddress(address.host) {
        case .v4: ipv4 = address.host
        case .v6: ipv6 = address.host
        case nil: break
        }
    }
}

extension DERPRegion {
    init(_ other: DERPRegion, nodes: [DERPNode]) {
        self = other
        self.nodes = nodes
    }
}
