package import ControlMessages

/// The answer of `whois`: the machine as the server describes it, and who owns it.
package struct WhoIs: Equatable, Sendable {
    package var node: Node
    package var user: UserProfile
    /// What the peer may do here beyond sending packets.
    package var capabilities: CapabilityMap = [:]

    package init(node: Node, user: UserProfile) {
        self.node = node
        self.user = user
    }
}

extension WhoIs: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        node = try object.read("Node", or: Node(json: .null))
        user = try object.read("UserProfile", or: UserProfile(json: .null))
        capabilities = try object.read("CapMap", or: [:])
    }

    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.keep("Node", node)
            writer.keep("UserProfile", user)
            writer.keep("CapMap", capabilities)
        }
    }
}
