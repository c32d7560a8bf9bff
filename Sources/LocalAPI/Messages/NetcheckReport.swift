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
    /// Whether the world sees another IPv4 address than this machine has; nil when it does not see any.
    package var isBehindNAT: Bool?
    /// What the NAT does with IPv4.
    package var nat = NATBehavior()
    /// The filter may be laxer than `nat` says: no server was there to tell.
    package var isFilteringBound = false
    /// For how many seconds a mapping of the NAT may rest and still be there, with a margin; nil until
    /// that has been learned, which takes some time of use.
    package var mappingLifetime: Int?
    /// How IPv4 is reached on a network that has IPv6 only.
    package var nat64Prefix: String?
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
        isBehindNAT = try object.optional("BehindNAT")
        nat64Prefix = try object.optional("NAT64Prefix")
        mappingLifetime = try object.optional("MappingLifetime")
        isFilteringBound = try object.read("FilteringIsUpperBound", or: false)
        nat.hairpins = try object.optional("HairPinning")
        nat.mapping = Dependence.value(try object.read("Mapping", or: ""))
        nat.filtering = Dependence.value(try object.read("Filtering", or: ""))
        nat.allocation = Allocation.value(try object.read("PortAllocation", or: ""))
        regions = try object.read("Regions", or: [:])
    }

    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.keep("UDP", udp)
            writer.keep("IPv6", ipv6)
            writer.keep("IPv4", ipv4)
            writer.keep("MappingVariesByDestIP", mappingVariesByDestination)
            writer.keep("HairPinning", nat.hairpins)
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
            writer.keep("BehindNAT", isBehindNAT)
            writer.keep("Mapping", nat.mapping.map(Dependence.name) ?? "")
            writer.keep("Filtering", nat.filtering.map(Dependence.name) ?? "")
            writer.keep("FilteringIsUpperBound", isFilteringBound)
            writer.keep("PortAllocation", nat.allocation.map(Allocation.name) ?? "")
            writer.keep("MappingLifetime", mappingLifetime)
            writer.keep("NAT64Prefix", nat64Prefix)
            writer.keep("Summary", summary)
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

extension NetcheckReport {
    /// The terms of RFC 4787 for what a mapping or filter depends on.
    package enum Dependence {
        package static func name(_ value: NATBehavior.Dependence) -> String {
            switch value {
            case .endpointIndependent: "endpoint-independent"
            case .addressDependent: "address-dependent"
            case .addressAndPortDependent: "address-and-port-dependent"
            }
        }

        /// Nil for any other text.
        static func value(_ name: String) -> NATBehavior.Dependence? {
            NATBehavior.Dependence.allCases.first { Self.name($0) == name }
        }
    }

    /// The port allocation in one word, with its numbers: `sequential 1`, `block 1024-2047`.
    package enum Allocation {
        package static func name(_ value: NATBehavior.PortAllocation) -> String {
            switch value {
            case .preserving: "preserving"
            case .sequential(let step): "sequential \(step)"
            case .contiguousBlock(let ports): "block \(ports.lowerBound)-\(ports.upperBound)"
            case .random: "random"
            }
        }

        /// Nil for any other text.
        static func value(_ name: String) -> NATBehavior.PortAllocation? {
            let parts = name.split(separator: " ")
            switch (parts.first, parts.count) {
            case ("preserving", 1): return .preserving
            case ("random", 1): return .random
            case ("sequential", 2): return Int(parts[1]).map { .sequential(step: $0) }
            case ("block", 2):
                let ends = parts[1].split(separator: "-").compactMap { UInt16($0) }
                return ends.count == 2 && ends[0] <= ends[1]
                    ? .contiguousBlock(ends[0]...ends[1]) : nil
            default: return nil
            }
        }
    }
}
