package import NetTypes

/// Who may open connections to the receiver, and where to (control protocol §6.8).
package struct FilterRule: Equatable, Sendable {
    /// Addresses, prefixes, inclusive ranges `a-b`, `*`, or `cap:` and a capability of the source.
    package var sources: [String]
    package var destinationPorts: [DestinationPorts]
    /// Empty for TCP, UDP and both ICMPs.
    package var protocols: [Int]
    package var capabilityGrants: [CapabilityGrant]

    package init(
        sources: [String], destinationPorts: [DestinationPorts] = [], protocols: [Int] = [],
        capabilityGrants: [CapabilityGrant] = []
    ) {
        self.sources = sources
        self.destinationPorts = destinationPorts
        self.protocols = protocols
        self.capabilityGrants = capabilityGrants
    }

    /// Everybody may reach everything.
    package static var allowAll: Self {
        Self(sources: ["*"], destinationPorts: [DestinationPorts(address: "*", ports: 0...65535)])
    }
}

extension FilterRule: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        sources = try object.read("SrcIPs", or: [])
        destinationPorts = try object.read("DstPorts", or: [])
        protocols = try object.read("IPProto", or: [])
        capabilityGrants = try object.read("CapGrant", or: [])
        // The meaning of bit counts beside the addresses is gone; guessing it would open ports.
        guard object["SrcBits"] ?? .null == .null else {
            throw MessageDecodingError(
                path: "SrcBits", .unreadable(expected: "a rule of this protocol version"))
        }
    }
    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.keep("SrcIPs", sources.isEmpty ? nil : sources)
            writer.omit("DstPorts", destinationPorts)
            writer.omit("IPProto", protocols)
            writer.omit("CapGrant", capabilityGrants)
        }
    }
}

/// Ports of an address, prefix, range or `*`.
package struct DestinationPorts: Equatable, Sendable {
    package var address: String
    package var ports: ClosedRange<UInt16>

    package init(address: String, ports: ClosedRange<UInt16>) {
        self.address = address
        self.ports = ports
    }
}

extension DestinationPorts: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        address = try object.read("IP", or: "")
        let range = try object.read("Ports", or: JSONObject())
        let first = try range.read("First", or: UInt16(0))
        let last = try range.read("Last", or: UInt16(0))
        guard first <= last, object["Bits"] ?? .null == .null else {
            throw MessageDecodingError(path: "Ports", .unreadable(expected: "a range of ports"))
        }
        ports = first...last
    }
    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.keep("IP", address)
            writer.key("Ports")
            writer.object { writer in
                writer.keep("First", ports.lowerBound)
                writer.keep("Last", ports.upperBound)
            }
        }
    }
}

/// Capabilities the sources have at some addresses of the receiver; for applications to interpret.
package struct CapabilityGrant: Equatable, Sendable {
    package var destinations: [IPPrefix]
    package var capabilities: CapabilityMap

    package init(destinations: [IPPrefix], capabilities: CapabilityMap) {
        self.destinations = destinations
        self.capabilities = capabilities
    }
}

extension CapabilityGrant: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        destinations = try object.read("Dsts", or: [])
        capabilities = CapabilityMap(nullable: try object.read("CapMap", or: [:]))
        for name in try object.read("Caps", or: [String]()) where capabilities[name] == nil {
            capabilities[name] = []
        }
    }
    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.keep("Dsts", destinations.isEmpty ? nil : destinations)
            writer.omit("CapMap", capabilities.nullable)
        }
    }
}
