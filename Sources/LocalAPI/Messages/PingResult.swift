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
    package var relayRegion = 0
    package var relayCode = ""
    /// Whether the address is this node's own; `error` says so too.
    package var isOwnAddress = false

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
        relayRegion = try object.read("DERPRegionID", or: 0)
        relayCode = try object.read("DERPRegionCode", or: "")
        isOwnAddress = try object.read("IsLocalIP", or: false)
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
        writer.keep("PeerRelay", "")
        writer.keep("DERPRegionID", relayRegion)
        writer.keep("DERPRegionCode", relayCode)
        writer.omit("IsLocalIP", isOwnAddress)
    }
}
