package import ControlMessages
package import NetTypes

/// What a person chose, as far as the configuration of the tunnel depends on it.
package struct NodeSettings: Equatable, Sendable {
    /// Whether to use the subnet routes that peers offer.
    package var acceptsRoutes: Bool
    /// Whether to refuse every connection that a peer opens.
    package var shieldsUp: Bool
    /// Subnets this node offers to its peers.
    package var advertisedRoutes: [IPPrefix]

    package init(
        acceptsRoutes: Bool = false, shieldsUp: Bool = false, advertisedRoutes: [IPPrefix] = []
    ) {
        self.acceptsRoutes = acceptsRoutes
        self.shieldsUp = shieldsUp
        self.advertisedRoutes = advertisedRoutes
    }
}

/// A peer as the tunnel and the path engine are to know it.
package struct DesiredPeer: Equatable, Sendable {
    package var nodeID: NodeID
    package var nodeKey: NodeKey
    /// Zero while the peer has announced none: no direct path can be found then.
    package var discoKey: DiscoKey
    /// What is routed to the peer and accepted as source from it; sorted.
    package var allowedIPs: [IPPrefix]
    package var endpoints: [Endpoint]
    package var homeRelay: Int?
    /// A plain WireGuard peer: no disco, no relay, just its endpoints.
    package var isWireGuardOnly: Bool
    /// What it may do about UDP relaying between peers.
    package var relayRoles: PeerRelayRoles

    package init(
        nodeID: NodeID, nodeKey: NodeKey, discoKey: DiscoKey, allowedIPs: [IPPrefix],
        endpoints: [Endpoint], homeRelay: Int?, isWireGuardOnly: Bool,
        relayRoles: PeerRelayRoles = []
    ) {
        self.nodeID = nodeID
        self.nodeKey = nodeKey
        self.discoKey = discoKey
        self.allowedIPs = allowedIPs
        self.endpoints = endpoints
        self.homeRelay = homeRelay
        self.isWireGuardOnly = isWireGuardOnly
        self.relayRoles = relayRoles
    }
}

extension DesiredPeer {
    /// A WireGuard peer that no server knows of.
    package static func plain(
        _ nodeKey: NodeKey, allowedIPs: [IPPrefix], endpoints: [Endpoint]
    ) -> Self {
        DesiredPeer(
            nodeID: NodeID(0), nodeKey: nodeKey, discoKey: .zero, allowedIPs: allowedIPs,
            endpoints: endpoints, homeRelay: nil, isWireGuardOnly: true)
    }
}

/// Everything the network map and the settings ask of this machine, as one value. Reconcilers
/// compare it with what they applied last and act on the difference.
package struct DesiredConfiguration: Equatable, Sendable {
    /// This node's addresses in the tunnel, as /32 and /128.
    package var addresses: [IPPrefix] = []
    /// What the kernel sends into the tunnel; sorted, no duplicates.
    package var routes: [IPPrefix] = []
    /// Sorted by node ID.
    package var peers: [DesiredPeer] = []
    /// Who may open connections to this node. Empty: nobody.
    package var filterRules: [FilterRule] = []
    /// Destinations for which packets from peers are accepted: own addresses and offered subnets.
    package var localPrefixes: [IPPrefix] = []
    /// The next moment at which time alone changes this value: a key expires.
    package var nextExpiry: Timestamp?

    package init() {}
}

/// The largest inner packet: what every path carries after the outer headers, and what official
/// nodes use.
package let tunnelMTU = 1280

extension DesiredConfiguration {
    /// The configuration that `map` and `settings` ask for at `now` (the server's clock).
    ///
    /// A peer is left out when nothing could be sent to it or it must not be spoken to: its key is
    /// expired, zero, our own or that of another peer, or it can be reached neither by disco nor by
    /// relay. No prefix is given to two peers: the one with the lower ID has it. Default routes are
    /// left out: they belong to exit nodes, which are chosen and never just taken.
    package init(map: NetworkMap, settings: NodeSettings, now: Timestamp) {
        guard let node = map.selfNode else { return }
        addresses = node.addresses.filter(\.isSingleAddress).sorted()
        localPrefixes = (addresses + settings.advertisedRoutes.map(\.masked)).sorted()
        filterRules = settings.shieldsUp ? [] : map.filterRules
        let grants = RelayGrants(filterRules, own: node)
        var taken = Set(addresses)
        var keys: Set<NodeKey> = [node.key]
        var expiry: Timestamp?
        func expires(_ time: Timestamp) {
            guard !time.isZero, time > now else { return }
            expiry = expiry.map { min($0, time) } ?? time
        }
        expires(node.keyExpiry)
        for peer in map.sortedPeers {
            guard Self.isUsable(peer, now: now), keys.insert(peer.key).inserted else { continue }
            expires(peer.keyExpiry)
            let allowed = Self.allowedIPs(of: peer, settings: settings)
                .filter { taken.insert($0).inserted }
            guard !allowed.isEmpty else { continue }
            peers.append(
                DesiredPeer(
                    nodeID: peer.id, nodeKey: peer.key, discoKey: peer.discoKey,
                    allowedIPs: allowed, endpoints: peer.endpoints ?? [],
                    homeRelay: peer.homeDERP > 0 ? peer.homeDERP : nil,
                    isWireGuardOnly: peer.isWireGuardOnly, relayRoles: grants.roles(of: peer)))
            routes += allowed
        }
        routes.sort()
        nextExpiry = expiry
    }

    /// Whether a node's key has run out at `now`.
    package static func isExpired(_ node: Node, now: Timestamp) -> Bool {
        node.isExpired || !node.keyExpiry.isZero && node.keyExpiry <= now
    }

    private static func isUsable(_ peer: Node, now: Timestamp) -> Bool {
        !isExpired(peer, now: now) && !peer.key.isZero
            && (!peer.discoKey.isZero || peer.homeDERP > 0 || peer.isWireGuardOnly)
    }

    private static func allowedIPs(of peer: Node, settings: NodeSettings) -> [IPPrefix] {
        let own = Set(peer.addresses.map(\.masked))
        let offered = Set(peer.effectiveAllowedIPs.map(\.masked))
        return offered.filter { prefix in
            guard prefix.length > 0 else { return false }
            // A single address of the tunnel's own range is a service, which needs no consent.
            let isService =
                prefix.isSingleAddress
                && [IPPrefix.tunnelIPv4, .tunnelIPv6].contains { $0.contains(prefix) }
            return own.contains(prefix) || isService || settings.acceptsRoutes
        }.sorted()
    }
}
