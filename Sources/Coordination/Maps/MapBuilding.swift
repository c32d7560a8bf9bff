package import ControlMessages
import NetTypes

extension Coordinator {
    /// The whole map for a node, as the first message of its session; nil for an unknown node.
    package func map(for id: NodeID, at now: Moment) -> MapResponse? {
        guard let node = state.nodes[id] else { return nil }
        var response = MapResponse()
        response.node = selfNode(node)
        response.derpMap = settings.derpMap
        response.dnsConfig = settings.dnsConfig
        response.domain = settings.baseDomain
        response.collectsServices = false
        response.debug = DebugSettings(disablesLogUpload: true)
        response.controlTime = now.wall
        let peers = visiblePeers(of: node, at: now.wall)
        // Left out when there are none: an empty list means "unchanged".
        if !peers.isEmpty { response.peers = peers.map { peerNode($0, at: now.wall) } }
        response.packetFilters = ["base": node.isAdmitted(at: now.wall) ? [.allowAll] : []]
        let relayRules = node.isAdmitted(at: now.wall) ? relayRules(for: node) : []
        if !relayRules.isEmpty { response.packetFilters?[Self.relayFilterName] = relayRules }
        response.userProfiles = profiles(of: peers + [node])
        return response
    }

    /// What `pending` comes to for a node that had the whole map: nil when it is nothing.
    ///
    /// The state now is what counts, so however many changes came together, each peer is in the
    /// message once.
    package func delta(
        for id: NodeID, _ pending: PendingChanges, at now: Moment
    ) -> MapResponse? {
        guard let node = state.nodes[id] else { return nil }
        let removed = pending.removed.filter { state.nodes[$0] == nil }
        if pending.isSelfRevived, node.isAdmitted(at: now.wall), var whole = map(for: id, at: now) {
            if whole.peers == nil, !removed.isEmpty { whole.peersRemoved = removed.sorted() }
            return whole
        }
        var response = MapResponse()
        if pending.isSelfChanged { response.node = selfNode(node) }
        var changed: [NodeRecord] = []
        var patches: [PeerChange] = []
        if node.isAdmitted(at: now.wall) {
            for (peerID, aspects) in pending.peers.sorted(by: { $0.key < $1.key }) {
                guard peerID != id, let peer = state.nodes[peerID], !peer.awaitsApproval else {
                    continue
                }
                if aspects.contains(.whole) || peer.isExpired(at: now.wall) {
                    changed.append(peer)
                } else if let patch = patch(for: peer, aspects) {
                    patches.append(patch)
                }
            }
        }
        if !changed.isEmpty {
            response.peersChanged = changed.map { peerNode($0, at: now.wall) }
            response.userProfiles = profiles(of: changed)
        }
        if !patches.isEmpty { response.peersChangedPatch = patches }
        if !removed.isEmpty { response.peersRemoved = removed.sorted() }
        if !pending.users.isEmpty {
            let known = Set((response.userProfiles ?? []).map(\.id))
            let users = pending.users.subtracting(known).compactMap { state.users[$0] }
            response.userProfiles =
                (response.userProfiles ?? [])
                + users.sorted { $0.id < $1.id }.map { profile(of: $0) }
        }
        if pending.areRelayRulesChanged {
            let rules = node.isAdmitted(at: now.wall) ? relayRules(for: node) : []
            // Null takes the part away.
            response.packetFilters = [Self.relayFilterName: rules.isEmpty ? nil : rules]
        }
        guard response != MapResponse() else { return nil }
        response.controlTime = now.wall
        return response
    }

    /// The last message to a node that was removed: its key is no good any more, so it asks its
    /// user to log in instead of trying again and again.
    package func farewell(to node: NodeRecord, at now: Moment) -> MapResponse {
        var node = node
        node.expiry = now.wall
        var response = MapResponse()
        response.node = selfNode(node)
        response.controlTime = now.wall
        return response
    }

    // MARK: Nodes

    /// Everybody sees everybody. A node whose key expired sees nobody, nor does one that waits for
    /// approval, which nobody sees either.
    private func visiblePeers(of node: NodeRecord, at now: Timestamp) -> [NodeRecord] {
        guard node.isAdmitted(at: now) else { return [] }
        return state.sortedNodes.filter { $0.id != node.id && !$0.awaitsApproval }
    }

    /// What both a node and its peers are told about it.
    private func commonNode(_ record: NodeRecord) -> Node {
        var node = Node(
            id: record.id, stableID: record.id.description, name: fullName(of: record),
            user: owner(of: record).id, key: record.nodeKey)
        node.keyExpiry = record.expiry ?? .zero
        node.discoKey = record.discoKey
        node.addresses = record.addresses
        node.allowedIPs = record.addresses
        node.homeDERP = record.homeDERP
        node.endpoints = record.endpoints
        node.created = record.created
        node.capabilityVersion = record.capabilityVersion
        node.tags = record.tags
        node.isOnline = isOnline(record.id)
        return node
    }

    private func selfNode(_ record: NodeRecord) -> Node {
        var node = commonNode(record)
        node.machine = record.machineKey
        node.hostinfo = record.hostinfo
        node.isMachineAuthorized = !record.awaitsApproval
        node.capabilities = Self.baselineCapabilities
        return node
    }

    private func peerNode(_ record: NodeRecord, at now: Timestamp) -> Node {
        var node = commonNode(record)
        node.hostinfo = record.hostinfo.forPeers
        if !isOnline(record.id) { node.lastSeen = record.lastSeen }
        if record.isExpired(at: now) {
            // Whether or not it still holds on to its session: nobody can reach it.
            node.isExpired = true
            node.isOnline = false
            node.lastSeen = record.lastSeen
            node.endpoints = nil
            node.homeDERP = 0
        }
        return node
    }

    private func patch(for record: NodeRecord, _ aspects: NodeAspects) -> PeerChange? {
        var patch = PeerChange(nodeID: record.id)
        if aspects.contains(.endpoints) { patch.endpoints = record.endpoints }
        if aspects.contains(.homeDERP) { patch.homeDERP = record.homeDERP }
        if aspects.contains(.discoKey) { patch.discoKey = record.discoKey }
        if aspects.contains(.keyExpiry) { patch.keyExpiry = record.expiry ?? .zero }
        if aspects.contains(.capabilityVersion) {
            patch.capabilityVersion = record.capabilityVersion
        }
        if aspects.contains(.online) {
            patch.isOnline = isOnline(record.id)
            // While a node is online its last appearance says nothing.
            if patch.isOnline == false { patch.lastSeen = record.lastSeen }
        }
        return patch == PeerChange(nodeID: record.id) ? nil : patch
    }

    /// With the trailing dot that clients rely on.
    package func fullName(of record: NodeRecord) -> String {
        "\(record.name).\(settings.baseDomain)."
    }

    /// What every node may do.
    private static var baselineCapabilities: CapabilityMap {
        [
            "default-auto-update": [.bool(false)],
            "https://tailscale.com/cap/file-sharing": [],
            "https://tailscale.com/cap/is-admin": [],
            "https://tailscale.com/cap/ssh": [],
        ]
    }

    // MARK: Users

    private func profiles(of nodes: [NodeRecord]) -> [UserProfile] {
        var owners: [UserID: UserRecord] = [:]
        for node in nodes {
            let owner = owner(of: node)
            owners[owner.id] = owner
        }
        return owners.values.sorted { $0.id < $1.id }.map { profile(of: $0) }
    }

    private func profile(of user: UserRecord) -> UserProfile {
        UserProfile(id: user.id, loginName: user.name, displayName: user.shownName)
    }
}
