package import NetTypes

/// What a node knows of its network: the sum of the `MapResponse`s it has received
/// (control protocol §5.5, §5.6).
package struct NetworkMap: Equatable, Sendable {
    /// Nil until the first message that has it.
    package private(set) var selfNode: Node?
    /// By ID. Use `sortedPeers` where order can be seen.
    package private(set) var peers: [NodeID: Node] = [:]
    package private(set) var derpMap = DERPMap(regions: [:])
    package private(set) var dnsConfig = DNSConfig()
    /// The name of the network, for display.
    package private(set) var domain = ""
    package private(set) var userProfiles: [UserID: UserProfile] = [:]
    package private(set) var health: [String] = []
    package private(set) var displayMessages: [String: DisplayMessage] = [:]
    package private(set) var sshPolicy: JSON?
    package private(set) var collectsServices = false
    /// The server's clock as of the last message that had it.
    package private(set) var controlTime: Timestamp?
    private var filters: [String: [FilterRule]] = [:]

    package init() {}

    package var sortedPeers: [Node] { peers.values.sorted { $0.id < $1.id } }

    /// The rules for packets from peers. Empty, as before the first message: nothing comes in.
    package var filterRules: [FilterRule] {
        filters.sorted { $0.key < $1.key }.flatMap(\.value)
    }

    /// The part of the map's names that all nodes share, without a trailing dot; empty when
    /// unknown.
    package var magicDNSSuffix: String {
        guard var name = selfNode?.name, let dot = name.firstIndex(of: ".") else { return "" }
        name = String(name[name.index(after: dot)...])
        return name.hasSuffix(".") ? String(name.dropLast()) : name
    }

    /// What a message changed.
    package struct Changes: Equatable, Sendable {
        package var isSelfChanged = false
        /// Peers that are new or differ in anything, sorted.
        package var changedPeers: [NodeID] = []
        /// Sorted; none of them is in `changedPeers`.
        package var removedPeers: [NodeID] = []
        package var isFilterChanged = false
        package var isDERPMapChanged = false
        package var isDNSChanged = false
        /// Domain, users, messages for the user, SSH policy.
        package var isOtherChanged = false

        package var isEmpty: Bool { self == Self() }

        package init() {}
    }

    /// Takes in one message. `now` is the time for peers that the server says were just seen.
    ///
    /// Peers of which the message has unknown IDs in patches are ignored, as are keepalives.
    package mutating func apply(_ response: MapResponse, now: Timestamp) -> Changes {
        if let time = response.controlTime { controlTime = time }
        guard !response.isKeepAlive else { return Changes() }
        var changes = Changes()
        if let node = response.node, node != selfNode {
            selfNode = node
            changes.isSelfChanged = true
        }
        applyPeers(response, now: now, &changes)
        applyFilters(response, &changes)
        applyRelays(response, &changes)
        if let config = response.dnsConfig, config != dnsConfig {
            dnsConfig = config
            changes.isDNSChanged = true
        }
        applyOther(response, &changes)
        return changes
    }

    // MARK: Peers

    private mutating func applyPeers(
        _ response: MapResponse, now: Timestamp, _ changes: inout Changes
    ) {
        // The order is that of the official client: a full list makes other lists of the message
        // void, and patches come last.
        let before = peers
        var touched: Set<NodeID> = []
        if let list = response.peers, !list.isEmpty {
            touched.formUnion(peers.keys)
            peers.removeAll(keepingCapacity: true)
            for peer in list { replace(peer, &touched) }
        } else {
            for id in response.peersRemoved ?? [] where peers.removeValue(forKey: id) != nil {
                touched.insert(id)
            }
            for peer in response.peersChanged ?? [] { replace(peer, &touched) }
            for (id, isSeen) in response.peerSeenChange ?? [:] {
                edit(id, &touched) { $0.lastSeen = isSeen ? now : nil }
            }
            for (id, isOnline) in response.onlineChange ?? [:] {
                edit(id, &touched) { $0.isOnline = isOnline }
            }
        }
        for patch in response.peersChangedPatch ?? [] {
            edit(patch.nodeID, &touched) { $0.apply(patch) }
        }
        for id in touched.sorted() {
            switch (before[id], peers[id]) {
            case (.some, nil): changes.removedPeers.append(id)
            case (let old, .some(let new)) where old != new: changes.changedPeers.append(id)
            default: break
            }
        }
    }

    private mutating func replace(_ peer: Node, _ touched: inout Set<NodeID>) {
        // A node without an ID or a key cannot be told from others or be spoken to.
        guard peer.id.value != 0, !peer.key.isZero else { return }
        peers[peer.id] = peer
        touched.insert(peer.id)
    }

    private mutating func edit(
        _ id: NodeID, _ touched: inout Set<NodeID>, _ body: (inout Node) -> Void
    ) {
        guard var peer = peers[id] else { return }
        body(&peer)
        peers[id] = peer
        touched.insert(id)
    }

    // MARK: The rest

    private mutating func applyFilters(_ response: MapResponse, _ changes: inout Changes) {
        guard response.packetFilter != nil || response.packetFilters != nil else { return }
        let before = filterRules
        if let rules = response.packetFilter { filters["base"] = rules }
        if let named = response.packetFilters {
            if let star = named["*"], star == nil { filters.removeAll() }
            for (name, rules) in named where name != "*" || rules != nil { filters[name] = rules }
        }
        changes.isFilterChanged = filterRules != before
    }

    private mutating func applyRelays(_ response: MapResponse, _ changes: inout Changes) {
        guard let update = response.derpMap else { return }
        let before = derpMap
        if let regions = update.regions { derpMap.regions = regions }
        if let scores = update.regionScores { derpMap.regionScores = scores }
        derpMap.omitsDefaultRegions = update.omitsDefaultRegions
        changes.isDERPMapChanged = derpMap != before
    }

    private mutating func applyOther(_ response: MapResponse, _ changes: inout Changes) {
        func set<Value: Equatable>(_ current: inout Value, _ new: Value?) {
            guard let new, new != current else { return }
            current = new
            changes.isOtherChanged = true
        }
        set(&domain, response.domain.isEmpty ? nil : response.domain)
        set(&collectsServices, response.collectsServices)
        set(&health, response.health)
        set(&sshPolicy, response.sshPolicy.map { .some($0) })
        for profile in response.userProfiles ?? [] { set(&userProfiles[profile.id], profile) }
        if let update = response.displayMessages {
            var messages = displayMessages
            if let star = update["*"], star == nil { messages.removeAll() }
            for (id, message) in update where id != "*" { messages[id] = message }
            set(&displayMessages, messages)
        }
    }
}

extension Node {
    /// Takes in a patch of this node.
    package mutating func apply(_ patch: PeerChange) {
        if let value = patch.homeDERP { homeDERP = value }
        if let value = patch.capabilityVersion { capabilityVersion = value }
        if let value = patch.capabilities { capabilities = value }
        if let value = patch.endpoints { endpoints = value }
        if let value = patch.key { key = value }
        if let value = patch.keySignature { keySignature = value }
        if let value = patch.discoKey { discoKey = value }
        if let value = patch.isOnline { isOnline = value }
        if let value = patch.lastSeen { lastSeen = value }
        if let value = patch.keyExpiry { keyExpiry = value }
    }
}
