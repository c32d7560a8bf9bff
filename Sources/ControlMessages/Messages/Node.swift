package import NetTypes

/// A node of the network as a map describes it: the receiver itself or a peer (control protocol §6.2).
package struct Node: Equatable, Sendable {
    package var id: NodeID
    package var stableID: String
    /// Fully qualified, with a trailing dot.
    package var name: String
    package var user: UserID
    package var sharer: UserID
    package var key: NodeKey
    /// Zero when the key never expires.
    package var keyExpiry: Timestamp
    package var keySignature: Base64Bytes?
    package var machine: MachineKey
    /// Zero when unknown.
    package var discoKey: DiscoKey
    /// The node's own addresses, one prefix of full length each.
    package var addresses: [IPPrefix]
    /// What may be sent to and accepted from the node; nil when that is just `addresses`.
    package var allowedIPs: [IPPrefix]?
    package var endpoints: [Endpoint]?
    /// The region of the home relay; 0 when unknown.
    package var homeDERP: Int
    package var hostinfo: Hostinfo?
    package var created: Timestamp
    /// The node's capability version; 0 when unknown.
    package var capabilityVersion: Int
    package var tags: [String]
    /// Subnet routes that this node serves now.
    package var primaryRoutes: [IPPrefix]
    /// Nil while the node is online.
    package var lastSeen: Timestamp?
    /// Nil when unknown.
    package var isOnline: Bool?
    package var isMachineAuthorized: Bool
    package var capabilities: CapabilityMap
    package var isUnsignedPeerAPIOnly: Bool
    package var isExpired: Bool
    /// The address under which the receiver is known to this peer.
    package var selfIPv4MasqueradeAddress: IPAddress?
    package var selfIPv6MasqueradeAddress: IPAddress?
    package var isWireGuardOnly: Bool
    /// Whether the node may not open connections to the receiver.
    package var isJailed: Bool

    package init(id: NodeID, stableID: String, name: String, user: UserID, key: NodeKey) {
        self.id = id
        self.stableID = stableID
        self.name = name
        self.user = user
        sharer = UserID(0)
        self.key = key
        keyExpiry = .zero
        keySignature = nil
        machine = .zero
        discoKey = .zero
        addresses = []
        allowedIPs = nil
        endpoints = nil
        homeDERP = 0
        hostinfo = nil
        created = .zero
        capabilityVersion = 0
        tags = []
        primaryRoutes = []
        lastSeen = nil
        isOnline = nil
        isMachineAuthorized = false
        capabilities = [:]
        isUnsignedPeerAPIOnly = false
        isExpired = false
        selfIPv4MasqueradeAddress = nil
        selfIPv6MasqueradeAddress = nil
        isWireGuardOnly = false
        isJailed = false
    }

    /// `allowedIPs` with its default filled in.
    package var effectiveAllowedIPs: [IPPrefix] { allowedIPs ?? addresses }
}

extension Node: JSONReadable {
    package init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        self.init(
            id: try object.read("ID", or: NodeID(0)),
            stableID: try object.read("StableID", or: ""),
            name: try object.read("Name", or: ""),
            user: try object.read("User", or: UserID(0)),
            key: try object.read("Key", or: .zero))
        try readKeys(object)
        try readAddresses(object)
        try readState(object)
    }

    private mutating func readKeys(_ object: JSONObject) throws(MessageDecodingError) {
        sharer = try object.read("Sharer", or: UserID(0))
        keyExpiry = try object.read("KeyExpiry", or: .zero)
        keySignature = try object.optional("KeySignature")
        machine = try object.read("Machine", or: .zero)
        discoKey = try object.read("DiscoKey", or: .zero)
    }

    private mutating func readAddresses(_ object: JSONObject) throws(MessageDecodingError) {
        addresses = try object.read("Addresses", or: [])
        allowedIPs = try object.optional("AllowedIPs")
        endpoints = try object.endpoints("Endpoints")
        homeDERP = try object.read("HomeDERP", or: 0)
        if homeDERP == 0, let legacy = Endpoint(try object.read("DERP", or: "")),
            legacy.address == Self.legacyDERPAddress
        {
            homeDERP = Int(legacy.port)
        }
        primaryRoutes = try object.read("PrimaryRoutes", or: [])
        selfIPv4MasqueradeAddress = try object.address("SelfNodeV4MasqAddrForThisPeer")
        selfIPv6MasqueradeAddress = try object.address("SelfNodeV6MasqAddrForThisPeer")
    }

    /// The address that stood for "relay" before `HomeDERP`, the region in place of a port.
    private static var legacyDERPAddress: IPAddress { .v4(IPv4Address(127, 3, 3, 40)) }

    private mutating func readState(_ object: JSONObject) throws(MessageDecodingError) {
        hostinfo = try object.optional("Hostinfo")
        created = try object.read("Created", or: .zero)
        capabilityVersion = try object.read("Cap", or: 0)
        tags = try object.read("Tags", or: [])
        lastSeen = try object.optional("LastSeen")
        isOnline = try object.optional("Online")
        isMachineAuthorized = try object.read("MachineAuthorized", or: false)
        capabilities = CapabilityMap(nullable: try object.read("CapMap", or: [:]))
        for name in try object.read("Capabilities", or: [String]()) where capabilities[name] == nil
        {
            capabilities[name] = []
        }
        isUnsignedPeerAPIOnly = try object.read("UnsignedPeerAPIOnly", or: false)
        isExpired = try object.read("Expired", or: false)
        isWireGuardOnly = try object.read("IsWireGuardOnly", or: false)
        isJailed = try object.read("IsJailed", or: false)
    }
}

extension Node: JSONWritable {
    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.keep("ID", id)
            writer.keep("StableID", stableID)
            writer.keep("Name", name)
            writer.keep("User", user)
            writer.omit("Sharer", sharer)
            writer.keep("Key", key)
            writer.omit("KeyExpiry", keyExpiry)
            writer.omit("KeySignature", keySignature)
            writer.omit("Machine", machine)
            writer.omit("DiscoKey", discoKey)
            writer.keep("Addresses", addresses.isEmpty ? nil : addresses)
            writer.omit("AllowedIPs", allowedIPs)
            writer.omit("Endpoints", endpoints ?? [])
            writer.omit("HomeDERP", homeDERP)
            writer.omit("Hostinfo", hostinfo)
            writer.omit("Created", created)
            writer.omit("Cap", capabilityVersion)
            writer.omit("Tags", tags)
            writer.omit("PrimaryRoutes", primaryRoutes)
            writer.omit("LastSeen", lastSeen)
            writer.omit("Online", isOnline)
            writer.omit("MachineAuthorized", isMachineAuthorized)
            writer.omit("CapMap", capabilities.nullable)
            writer.omit("UnsignedPeerAPIOnly", isUnsignedPeerAPIOnly)
            writer.omit("Expired", isExpired)
            writer.omit("SelfNodeV4MasqAddrForThisPeer", selfIPv4MasqueradeAddress)
            writer.omit("SelfNodeV6MasqAddrForThisPeer", selfIPv6MasqueradeAddress)
            writer.omit("IsWireGuardOnly", isWireGuardOnly)
            writer.omit("IsJailed", isJailed)
        }
    }
}

/// A small change of a peer: nil means unchanged (control protocol §5.5).
package struct PeerChange: Equatable, Sendable {
    package var nodeID: NodeID
    package var homeDERP: Int?
    package var capabilityVersion: Int?
    package var capabilities: CapabilityMap?
    package var endpoints: [Endpoint]?
    package var key: NodeKey?
    package var keySignature: Base64Bytes?
    package var discoKey: DiscoKey?
    package var isOnline: Bool?
    package var lastSeen: Timestamp?
    /// The zero time means that the key does not expire any more.
    package var keyExpiry: Timestamp?

    package init(nodeID: NodeID) { self.nodeID = nodeID }
}

extension PeerChange: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        nodeID = try object.read("NodeID", or: NodeID(0))
        homeDERP = try object.optional("DERPRegion")
        if homeDERP == 0 { homeDERP = nil }
        capabilityVersion = try object.optional("Cap")
        if capabilityVersion == 0 { capabilityVersion = nil }
        capabilities = try object.optional("CapMap", as: [String: [JSON]?].self)
            .map { CapabilityMap(nullable: $0) }
        endpoints = try object.endpoints("Endpoints")
        key = try object.optional("Key")
        keySignature = try object.optional("KeySignature")
        discoKey = try object.optional("DiscoKey")
        isOnline = try object.optional("Online")
        lastSeen = try object.optional("LastSeen")
        keyExpiry = try object.optional("KeyExpiry")
    }

    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.keep("NodeID", nodeID)
            writer.omit("DERPRegion", homeDERP)
            writer.omit("Cap", capabilityVersion)
            writer.omit("CapMap", capabilities?.nullable)
            writer.omit("Endpoints", endpoints ?? [])
            writer.omit("Key", key)
            writer.omit("KeySignature", keySignature)
            writer.omit("DiscoKey", discoKey)
            writer.omit("Online", isOnline)
            writer.omit("LastSeen", lastSeen)
            writer.omit("KeyExpiry", keyExpiry)
        }
    }
}
