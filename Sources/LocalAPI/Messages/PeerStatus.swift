package import ControlMessages
package import NetTypes

/// One machine, this one or a peer, as `status` shows it.
package struct PeerStatus: Equatable, Sendable {
    /// The stable identity, the same for as long as the machine is known to the server.
    package var id = ""
    package var nodeID = NodeID(0)
    package var publicKey = NodeKey.zero
    package var hostName = ""
    /// The full name with a dot at its end.
    package var dnsName = ""
    package var os = ""
    package var userID = UserID(0)
    package var addresses: [IPAddress] = []
    package var allowedIPs: [IPPrefix] = []
    package var tags: [String] = []
    package var primaryRoutes: [IPPrefix] = []
    /// Where the machine says it may be reached.
    package var endpoints: [Endpoint] = []
    /// The direct path in use; nil while packets take the relay or none flow.
    package var currentEndpoint: Endpoint?
    /// The way through another node's UDP relay in use instead, as `ip:port:vni:N`; empty for none.
    package var peerRelay = ""
    /// What stands in the way of a direct path, in a sentence; empty while there is one, and for idle
    /// peers.
    package var obstacle = ""
    /// The code of the peer's home relay, empty while unknown.
    package var relay = ""
    package var receivedBytes: Int64 = 0
    package var sentBytes: Int64 = 0
    package var created = Timestamp.zero
    package var lastWrite = Timestamp.zero
    package var lastSeen = Timestamp.zero
    package var lastHandshake = Timestamp.zero
    package var isOnline = false
    package var isExitNode = false
    package var offersExitNode = false
    /// Whether packets went to it in the last minutes.
    package var isActive = false
    package var isInNetworkMap = false
    package var isInPathEngine = false
    package var isInTunnel = false
    package var isExpired = false
    package var keyExpiry: Timestamp?

    package init() {}
}

extension PeerStatus: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        id = try object.read("ID", or: "")
        nodeID = try object.read("NodeID", or: NodeID(0))
        publicKey = try object.read("PublicKey", or: .zero)
        hostName = try object.read("HostName", or: "")
        dnsName = try object.read("DNSName", or: "")
        os = try object.read("OS", or: "")
        userID = try object.read("UserID", or: UserID(0))
        addresses = try object.read("TailscaleIPs", or: [])
        allowedIPs = try object.read("AllowedIPs", or: [])
        tags = try object.read("Tags", or: [])
        primaryRoutes = try object.read("PrimaryRoutes", or: [])
        endpoints = try object.read("Addrs", or: [String]()).compactMap { Endpoint($0) }
        currentEndpoint = Endpoint(try object.read("CurAddr", or: ""))
        relay = try object.read("Relay", or: "")
        peerRelay = try object.read("PeerRelay", or: "")
        obstacle = try object.read("Why", or: "")
        receivedBytes = try object.read("RxBytes", or: 0)
        sentBytes = try object.read("TxBytes", or: 0)
        created = try object.read("Created", or: .zero)
        lastWrite = try object.read("LastWrite", or: .zero)
        lastSeen = try object.read("LastSeen", or: .zero)
        lastHandshake = try object.read("LastHandshake", or: .zero)
        isOnline = try object.read("Online", or: false)
        isExitNode = try object.read("ExitNode", or: false)
        offersExitNode = try object.read("ExitNodeOption", or: false)
        isActive = try object.read("Active", or: false)
        isInNetworkMap = try object.read("InNetworkMap", or: false)
        isInPathEngine = try object.read("InMagicSock", or: false)
        isInTunnel = try object.read("InEngine", or: false)
        isExpired = try object.read("Expired", or: false)
        keyExpiry = try object.optional("KeyExpiry")
    }

    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.keep("ID", id)
            writer.omit("NodeID", nodeID)
            writer.keep("PublicKey", publicKey)
            writer.keep("HostName", hostName)
            writer.keep("DNSName", dnsName)
            writer.keep("OS", os)
            writer.keep("UserID", userID)
            writer.keep("TailscaleIPs", addresses)
            writer.omit("AllowedIPs", allowedIPs)
            writer.omit("Tags", tags)
            writer.omit("PrimaryRoutes", primaryRoutes)
            writer.keep("Addrs", endpoints)
            writer.keep("CurAddr", currentEndpoint?.description ?? "")
            writer.keep("Relay", relay)
            writer.keep("PeerRelay", peerRelay)
            writer.omit("Why", obstacle)
            writer.keep("RxBytes", receivedBytes)
            writer.keep("TxBytes", sentBytes)
            writer.keep("Created", created)
            writer.keep("LastWrite", lastWrite)
            writer.keep("LastSeen", lastSeen)
            writer.keep("LastHandshake", lastHandshake)
            writer.keep("Online", isOnline)
            writer.keep("ExitNode", isExitNode)
            writer.keep("ExitNodeOption", offersExitNode)
            writer.keep("Active", isActive)
            writer.keep("InNetworkMap", isInNetworkMap)
            writer.keep("InMagicSock", isInPathEngine)
            writer.keep("InEngine", isInTunnel)
            writer.omit("Expired", isExpired)
            if let keyExpiry { writer.keep("KeyExpiry", keyExpiry) }
        }
    }
}
