package import ControlMessages
package import NetTypes

/// The answer of `ping`.
package struct PingResult: Equatable, Sendable {
    /// The address that was asked for.
    package var address: IPAddress
    /// The peer's first address and name, where it is known.
    package var nodeAddress: IPAddress?
    package var nodeName = ""
    /// Why there was no answer; nil when there was.
    package var error: String?
    package var latencySeconds = 0.0
    /// The direct path the answer came over; nil when it came through a relay.
    package var endpoint: Endpoint?
    /// The way through another node's UDP relay that it came over, as `ip:port:vni:N`.
    package var peerRelay = ""
    package var relayRegion = 0
    package var relayCode = ""
    /// When relayed: what stands in the way of a direct path, in a sentence.
    package var obstacle = ""
    /// The direct paths that have been tried, with the round trip of those that answered.
    package var tried: [TriedPath] = []
    /// Whether the address is this node's own; `error` says so too.
    package var isOwnAddress = false

    package struct TriedPath: Equatable, Sendable {
        package var endpoint: Endpoint
        package var latencySeconds: Double?
        package var pingCount: Int

        package init(_ endpoint: Endpoint, latencySeconds: Double?, pingCount: Int) {
            self.endpoint = endpoint
            self.latencySeconds = latencySeconds
            self.pingCount = pingCount
        }
    }

    package init(address: IPAddress) { self.address = address }
}

extension PingResult: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        guard let address = IPAddress(try object.read("IP", or: "")) else {
            throw MessageDecodingError(path: "IP", .unreadable(expected: "an IP address"))
        }
        self.address = address
        nodeAddress = IPAddress(try object.read("NodeIP", or: ""))
        nodeName = try object.read("NodeName", or: "")
        let error = try object.read("Err", or: "")
        self.error = error.isEmpty ? nil : error
        latencySeconds = try object.read("LatencySeconds", or: 0)
        endpoint = Endpoint(try object.read("Endpoint", or: ""))
        peerRelay = try object.read("PeerRelay", or: "")
        relayRegion = try object.read("DERPRegionID", or: 0)
        relayCode = try object.read("DERPRegionCode", or: "")
        isOwnAddress = try object.read("IsLocalIP", or: false)
        obstacle = try object.read("Why", or: "")
        tried = try object.read("Tried", or: [])
    }

    package func write(to writer: inout JSONWriter) {
        writer.object { writeMembers(to: &$0) }
    }

    /// The members alone, for messages that have others as well.
    package func writeMembers(to writer: inout JSONWriter) {
        writer.keep("IP", address)
        writer.keep("NodeIP", nodeAddress?.description ?? "")
        writer.keep("NodeName", nodeName)
        writer.keep("Err", error ?? "")
        writer.keep("LatencySeconds", latencySeconds)
        writer.keep("Endpoint", endpoint?.description ?? "")
        writer.keep("PeerRelay", peerRelay)
        writer.keep("DERPRegionID", relayRegion)
        writer.keep("DERPRegionCode", relayCode)
        writer.omit("IsLocalIP", isOwnAddress)
        writer.omit("Why", obstacle)
        guard !tried.isEmpty else { return }
        writer.key("Tried")
        writer.array { writer in
            for path in tried { path.write(to: &writer) }
        }
    }
}

extension PingResult.TriedPath: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        guard let endpoint = Endpoint(try object.read("Endpoint", or: "")) else {
            throw MessageDecodingError(path: "Endpoint", .unreadable(expected: "address and port"))
        }
        let latency = try object.read("LatencySeconds", or: 0.0)
        self.init(
            endpoint, latencySeconds: latency > 0 ? latency : nil,
            pingCount: try object.read("Pings", or: 0))
    }

    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.keep("Endpoint", endpoint.description)
            writer.keep("LatencySeconds", latencySeconds ?? 0)
            writer.keep("Pings", pingCount)
        }
    }
}
