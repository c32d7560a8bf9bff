package import ControlMessages
package import NetTypes

/// What `netcheck` found out about the network this node is in.
package struct NetcheckReport: Equatable, Sendable {
    package var udp = false
    package var ipv4 = false
    package var ipv6 = false
    /// Whether the NAT gives each destination another port; nil when there was too little to tell.
    package var mappingVariesByDestination: Bool?
    /// What a port mapping protocol answered; nil when it was not asked.
    package var upnp: Bool?
    package var natPMP: Bool?
    package var pcp: Bool?
    /// The region of the nearest relay, 0 when none answered.
    package var preferredRelay = 0
    /// Round trip in nanoseconds by region.
    package var latencies: [Int: Int64] = [:]
    package var ipv4Latencies: [Int: Int64] = [:]
    package var ipv6Latencies: [Int: Int64] = [:]
    /// Where the world sees this node's socket.
    package var globalIPv4: Endpoint?
    package var globalIPv6: Endpoint?
    /// What a gateway forwards to this node, and for how many seconds it promised that.
    package var portMappings: [String: Int] = [:]
    package var captivePortal: Bool?
    /// Code and name of each region, so that a reader need not ask for the map.
    package var regions: [Int: Region] = [:]

    package struct Region: Equatable, Sendable {
        package var code: String
        package var name: String
        package init(code: String, name: String) {
            self.code = code
            self.name = name
        }
    }

    package init() {}
}

extension NetcheckReport: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        udp = try object.read("UDP", or: false)
        ipv4 = try object.read("IPv4", or: false)
        ipv6 = try object.read("IPv6", or: false)
        mappingVariesByDestination = try object.optional("MappingVariesByDestIP")
        upnp = try object.optional("UPnP")
        natPMP = try object.optional("PMP")
        pcp = try object.optional("PCP")
        preferredRelay = try object.read("PreferredDERP", or: 0)
        latencies = try object.read("RegionLatency", or: [:])
        ipv4Latencies = try object.read("RegionV4Latency", or: [:])
        ipv6Latencies = try object.read("RegionV6Latency", or: [:])
        globalIPv4 = Endpoint(try object.read("GlobalV4", or: ""))
        globalIPv6 = Endpoint(try object.read("GlobalV6", or: ""))
        portMappings = try object.read("PortMappings", or: [:])
        captivePortal = try object.optional("CaptivePortal")
        regions = try object.read("Regions", or: [:])
    }

    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.keep("UDP", udp)
            writer.keep("IPv6", ipv6)
            writer.keep("IPv4", ipv4)
            writer.keep("MappingVariesByDestIP", mappingVariesByDestination)
            writer.keep("UPnP", upnp)
            writer.keep("PMP", natPMP)
            writer.keep("PCP", pcp)
            writer.keep("PreferredDERP", preferredRelay)
            writer.keep("RegionLatency", latencies)
            writer.keep("RegionV4Latency", ipv4Latencies)
            writer.keep("RegionV6Latency", ipv6Latencies)
            writer.keep("GlobalV4", globalIPv4?.description ?? "")
            writer.keep("GlobalV6", globalIPv6?.description ?? "")
            writer.keep("PortMappings", portMappings)
            writer.keep("CaptivePortal", captivePortal)
            writer.keep("Regions", regions)
        }
    }
}

extension NetcheckReport.Region: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        code = try object.read("Code", or: "")
        name = try object.read("Name", or: "")
    }

    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.keep("Code", code)
            writer.keep("Name", name)
        }
    }
}
