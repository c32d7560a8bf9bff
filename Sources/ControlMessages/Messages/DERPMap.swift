/// The relays a network uses (control protocol §6.5).
package struct DERPMap: Equatable, Sendable {
    /// Factors by which a region's latency is weighed; nil keeps what was there.
    package var regionScores: [Int: Double]?
    /// Nil keeps what was there.
    package var regions: [Int: DERPRegion]?
    package var omitsDefaultRegions: Bool

    package init(regions: [Int: DERPRegion]?, regionScores: [Int: Double]? = nil) {
        self.regionScores = regionScores
        self.regions = regions
        omitsDefaultRegions = false
    }
}

extension DERPMap: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        regionScores = try object.optional("HomeParams", as: JSONObject.self)?
            .optional("RegionScore")
        regions = try object.optional("Regions", as: [Int: DERPRegion?].self)?
            .compactMapValues { $0 }
        omitsDefaultRegions = try object.read("OmitDefaultRegions", or: false)
    }

    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            if let regionScores {
                writer.key("HomeParams")
                writer.object { $0.keep("RegionScore", regionScores) }
            }
            writer.keep("Regions", regions)
            writer.omit("omitDefaultRegions", omitsDefaultRegions)
        }
    }
}

/// Relays near each other, connected so that it does not matter which of them a node uses.
package struct DERPRegion: Equatable, Sendable {
    /// 1...65535; 900...999 are for private regions.
    package var id: Int
    package var code: String
    package var name: String
    package var latitude: Double
    package var longitude: Double
    package var isAvoided: Bool
    package var isNeverHome: Bool
    package var nodes: [DERPNode]

    package init(id: Int, code: String, name: String, nodes: [DERPNode]) {
        self.id = id
        self.code = code
        self.name = name
        latitude = 0
        longitude = 0
        isAvoided = false
        isNeverHome = false
        self.nodes = nodes
    }
}

extension DERPRegion: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        id = try object.read("RegionID", or: 0)
        code = try object.read("RegionCode", or: "")
        name = try object.read("RegionName", or: "")
        latitude = try object.read("Latitude", or: 0)
        longitude = try object.read("Longitude", or: 0)
        isAvoided = try object.read("Avoid", or: false)
        isNeverHome = try object.read("NoMeasureNoHome", or: false)
        nodes = try object.read("Nodes", or: [DERPNode?]()).compactMap { $0 }
    }

    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.keep("RegionID", id)
            writer.keep("RegionCode", code)
            writer.keep("RegionName", name)
            writer.omit("Latitude", latitude)
            writer.omit("Longitude", longitude)
            writer.omit("Avoid", isAvoided)
            writer.omit("NoMeasureNoHome", isNeverHome)
            writer.keep("Nodes", nodes.isEmpty ? nil : nodes)
        }
    }
}

/// One relay.
package struct DERPNode: Equatable, Sendable {
    package var name: String
    package var regionID: Int
    /// A DNS name or an IP address.
    package var hostName: String
    /// The name in the certificate when it is not `hostName`; `sha256-raw:` and a hash pins one.
    package var certificateName: String
    /// An address that saves a DNS query; `none` rules out the family; empty leaves it to DNS.
    package var ipv4: String
    package var ipv6: String
    /// 0 stands for 3478, -1 for none.
    package var stunPort: Int
    package var isSTUNOnly: Bool
    /// 0 stands for 443.
    package var derpPort: Int
    package var isInsecureForTests: Bool
    package var stunTestIP: String
    /// Whether port 80 answers captive portal checks.
    package var canPort80: Bool

    package init(name: String, regionID: Int, hostName: String) {
        self.name = name
        self.regionID = regionID
        self.hostName = hostName
        certificateName = ""
        ipv4 = ""
        ipv6 = ""
        stunPort = 0
        isSTUNOnly = false
        derpPort = 0
        isInsecureForTests = false
        stunTestIP = ""
        canPort80 = false
    }
}

extension DERPNode: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        name = try object.read("Name", or: "")
        regionID = try object.read("RegionID", or: 0)
        hostName = try object.read("HostName", or: "")
        certificateName = try object.read("CertName", or: "")
        ipv4 = try object.read("IPv4", or: "")
        ipv6 = try object.read("IPv6", or: "")
        stunPort = try object.read("STUNPort", or: 0)
        isSTUNOnly = try object.read("STUNOnly", or: false)
        derpPort = try object.read("DERPPort", or: 0)
        isInsecureForTests = try object.read("InsecureForTests", or: false)
        stunTestIP = try object.read("STUNTestIP", or: "")
        canPort80 = try object.read("CanPort80", or: false)
    }

    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.keep("Name", name)
            writer.keep("RegionID", regionID)
            writer.keep("HostName", hostName)
            writer.omit("CertName", certificateName)
            writer.omit("IPv4", ipv4)
            writer.omit("IPv6", ipv6)
            writer.omit("STUNPort", stunPort)
            writer.omit("STUNOnly", isSTUNOnly)
            writer.omit("DERPPort", derpPort)
            writer.omit("InsecureForTests", isInsecureForTests)
            writer.omit("STUNTestIP", stunTestIP)
            writer.omit("CanPort80", canPort80)
        }
    }
}
