package import NetTypes

/// A part of the network map (control protocol §5.5): nil means unchanged.
package struct MapResponse: Equatable, Sendable {
    package var mapSessionHandle = ""
    package var sequence: Int64 = 0
    package var isKeepAlive = false
    package var pingRequest: PingRequest?
    package var popBrowserURL = ""
    /// The receiver itself; the first message must have it.
    package var node: Node?
    package var derpMap: DERPMap?
    /// All peers; nil and empty both mean "unchanged". Sorted by ID.
    package var peers: [Node]?
    /// Added or replaced peers, sorted by ID.
    package var peersChanged: [Node]?
    package var peersRemoved: [NodeID]?
    package var peersChangedPatch: [PeerChange]?
    /// True: seen now. False: not known when it was seen.
    package var peerSeenChange: [NodeID: Bool]?
    package var onlineChange: [NodeID: Bool]?
    package var dnsConfig: DNSConfig?
    package var domain = ""
    package var collectsServices: Bool?
    /// Empty blocks everything; the same as `packetFilters["base"]`.
    package var packetFilter: [FilterRule]?
    /// A nil value deletes the rules of that name, `*` with nil all rules, before the others count.
    package var packetFilters: [String: [FilterRule]?]?
    /// New or changed users only.
    package var userProfiles: [UserProfile]?
    package var health: [String]?
    package var displayMessages: [String: DisplayMessage?]?
    /// As received: `{"rules":[…]}`.
    package var sshPolicy: JSON?
    package var controlTime: Timestamp?
    package var networkLock: JSON?
    package var debug: DebugSettings?
    package var controlDialPlan: JSON?
    package var clientVersion: JSON?
    /// Peers, patches and filter rules that were left out because they could not be read.
    package var problems: [MessageDecodingError] = []

    package init() {}

    /// The message that only says that the server is there.
    package static var keepAlive: Self {
        var response = Self()
        response.isKeepAlive = true
        return response
    }
}

extension MapResponse: JSONReadable {
    package init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        mapSessionHandle = try object.read("MapSessionHandle", or: "")
        sequence = try object.read("Seq", or: 0)
        isKeepAlive = try object.read("KeepAlive", or: false)
        pingRequest = try object.optional("PingRequest")
        popBrowserURL = try object.read("PopBrowserURL", or: "")
        node = try object.optional("Node")
        try readPeers(object)
        try readSettings(object)
    }

    private mutating func readPeers(_ object: JSONObject) throws(MessageDecodingError) {
        peers = try object.readableElements("Peers", problems: &problems)
        peersChanged = try object.readableElements("PeersChanged", problems: &problems)
        peersRemoved = try object.optional("PeersRemoved")
        peersChangedPatch = try object.readableElements("PeersChangedPatch", problems: &problems)
        peerSeenChange = try object.optional("PeerSeenChange")
        onlineChange = try object.optional("OnlineChange")
        userProfiles = try object.optional("UserProfiles")
    }

    private mutating func readSettings(_ object: JSONObject) throws(MessageDecodingError) {
        derpMap = try object.optional("DERPMap")
        dnsConfig = try object.optional("DNSConfig")
        domain = try object.read("Domain", or: "")
        collectsServices = try object.optional("CollectServices")
        packetFilter = try object.readableElements("PacketFilter", problems: &problems)
        packetFilters = try readFilters(object)
        health = try object.optional("Health")
        displayMessages = try object.optional("DisplayMessages")
        sshPolicy = try object.optional("SSHPolicy")
        controlTime = try object.optional("ControlTime")
        networkLock = try object.optional("TKAInfo")
        debug = try object.optional("Debug")
        controlDialPlan = try object.optional("ControlDialPlan")
        clientVersion = try object.optional("ClientVersion")
    }
}

extension MapResponse {
    private mutating func readFilters(
        _ object: JSONObject
    ) throws(MessageDecodingError) -> [String: [FilterRule]?]? {
        guard let named = try object.optional("PacketFilters", as: JSONObject.self) else {
            return nil
        }
        var filters: [String: [FilterRule]?] = [:]
        for member in named.members {
            let rules: [FilterRule]? = try member.value.readableElements(
                path: "PacketFilters.\(member.name)", problems: &problems)
            filters.updateValue(rules, forKey: member.name)
        }
        return filters
    }
}

extension MapResponse: JSONWritable {
    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.omit("MapSessionHandle", mapSessionHandle)
            writer.omit("Seq", sequence)
            writer.omit("KeepAlive", isKeepAlive)
            writer.omit("PingRequest", pingRequest)
            writer.omit("PopBrowserURL", popBrowserURL)
            writer.omit("Node", node)
            writer.omit("DERPMap", derpMap)
            writer.omit("Peers", peers)
            writer.omit("PeersChanged", peersChanged)
            writer.omit("PeersRemoved", peersRemoved)
            writer.omit("PeersChangedPatch", peersChangedPatch)
            writer.omit("PeerSeenChange", peerSeenChange)
            writer.omit("OnlineChange", onlineChange)
            writer.omit("DNSConfig", dnsConfig)
            writer.omit("Domain", domain)
            writer.omit("CollectServices", collectsServices)
            writer.omit("PacketFilter", packetFilter)
            writer.omit("PacketFilters", packetFilters)
            writer.omit("UserProfiles", userProfiles)
            writer.omit("Health", health)
            writer.omit("DisplayMessages", displayMessages)
            writer.omit("SSHPolicy", sshPolicy)
            writer.omit("ControlTime", controlTime)
            writer.omit("TKAInfo", networkLock)
            writer.omit("Debug", debug)
            writer.omit("ControlDialPlan", controlDialPlan)
            writer.omit("ClientVersion", clientVersion)
        }
    }
}

/// Something the server wants shown to the user.
package struct DisplayMessage: Equatable, Sendable {
    package var title: String
    package var text: String
    /// `high`, `medium`, `low`.
    package var severity: String
    package var impactsConnectivity: Bool

    package init(title: String, text: String, severity: String, impactsConnectivity: Bool = false) {
        self.title = title
        self.text = text
        self.severity = severity
        self.impactsConnectivity = impactsConnectivity
    }
}

extension DisplayMessage: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        title = try object.read("Title", or: "")
        text = try object.read("Text", or: "")
        severity = try object.read("Severity", or: "")
        impactsConnectivity = try object.read("ImpactsConnectivity", or: false)
    }
    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.keep("Title", title)
            writer.keep("Text", text)
            writer.keep("Severity", severity)
            writer.omit("ImpactsConnectivity", impactsConnectivity)
        }
    }
}

/// Orders to the client program.
package struct DebugSettings: Equatable, Sendable {
    package var sleepSeconds: Double
    package var disablesLogUpload: Bool

    package init(sleepSeconds: Double = 0, disablesLogUpload: Bool = false) {
        self.sleepSeconds = sleepSeconds
        self.disablesLogUpload = disablesLogUpload
    }
}

extension DebugSettings: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        sleepSeconds = try object.read("SleepSeconds", or: 0)
        disablesLogUpload = try object.read("DisableLogTail", or: false)
    }
    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.omit("SleepSeconds", sleepSeconds)
            writer.omit("DisableLogTail", disablesLogUpload)
        }
    }
}
