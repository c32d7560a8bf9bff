import ControlMessages
import Foundation
import NetTypes

extension ServerConfiguration {
    mutating func readRelay(_ reader: ConfigurationReader) throws(ConfigurationError) {
        if let value = try reader.bool("relay.enabled") { relay.isEnabled = value }
        if let value = try reader.integer("relay.region_id", in: 1...65_535) {
            relay.regionID = value
        }
        if let value = try reader.string("relay.region_code") { relay.regionCode = value }
        if let value = try reader.string("relay.region_name") { relay.regionName = value }
        if try reader.string("relay.stun_listen") == "" {
            relay.stunListen = nil
        } else if let endpoint = try reader.endpoint("relay.stun_listen") {
            relay.stunListen = endpoint
        }
        if let text = try reader.string("relay.stun_alternate"), !text.isEmpty {
            guard let address = IPAddress(text), !address.isUnspecified else {
                throw reader.error(
                    "relay.stun_alternate", text, "write another address of this machine")
            }
            relay.stunAlternate = address
        }
        relay.ipv4 = try reader.ipv4("relay.ipv4") ?? relay.ipv4
        relay.ipv6 = try reader.ipv6("relay.ipv6") ?? relay.ipv6
        try readMesh(reader)
        try readVerification(reader)
        if let path = try reader.string("relay.map_file") {
            relay.regions = try reader.regions(ofMap: path)
        }
        for table in try reader.tables("relay.regions", keys: RelayRegionReader.keys) {
            relay.regions.append(try RelayRegionReader(table).region())
        }
    }

    private mutating func readMesh(_ reader: ConfigurationReader) throws(ConfigurationError) {
        relay.trustFile = try reader.string("relay.trust_file")
        relay.meshKeyFile = try reader.string("relay.mesh_key_file")
        for text in try reader.strings("relay.mesh_with") ?? [] {
            guard let address = RelayAddress(url: text) else {
                throw reader.error(
                    "relay.mesh_with", text, "write https://HOST or https://HOST:PORT")
            }
            relay.meshWith.append(address)
        }
        if relay.meshKeyFile == nil, !relay.meshWith.isEmpty {
            throw reader.missing(
                "relay.mesh_key_file", beside: "relay.mesh_with",
                "the path of a file that all relays of the region have")
        }
    }

    private mutating func readVerification(
        _ reader: ConfigurationReader
    ) throws(ConfigurationError) {
        if let value = try reader.bool("relay.verify_fail_open") { relay.verifiesOpenly = value }
        guard let url = try reader.string("relay.verify_clients") else { return }
        guard url.hasPrefix("https://") || url.hasPrefix("http://"), URL(string: url)?.host != nil
        else {
            throw reader.error(
                "relay.verify_clients", url,
                "write the address of the coordination server, such as https://HOST/verify")
        }
        relay.verifyClients = url
    }
}

extension ConfigurationReader {
    func ipv4(_ path: String) throws(ConfigurationError) -> String? {
        guard let text = try string(path) else { return nil }
        guard text.isEmpty || IPv4Address(text) != nil else {
            throw error(path, text, "write an IPv4 address")
        }
        return text
    }

    func ipv6(_ path: String) throws(ConfigurationError) -> String? {
        guard let text = try string(path) else { return nil }
        guard text.isEmpty || IPv6Address(text) != nil else {
            throw error(path, text, "write an IPv6 address without brackets")
        }
        return text
    }

    /// The regions of a relay map in a file: JSON as a coordination server serves it at
    /// `/derpmap/default`.
    fileprivate func regions(ofMap path: String) throws(ConfigurationError) -> [DERPRegion] {
        guard let bytes = FileManager.default.contents(atPath: path) else {
            throw error("relay.map_file", path, "the file cannot be read")
        }
        guard let map = try? DERPMap(jsonBytes: Array(bytes)) else {
            throw error("relay.map_file", path, "the file holds no relay map in JSON")
        }
        return (map.regions ?? [:]).sorted { $0.key < $1.key }.map(\.value)
    }
}

/// One `[[relay.regions]]`: relays elsewhere that nodes are told of.
private struct RelayRegionReader {
    static let keys = ["id", "code", "name", "relays"]
    private static let relayKeys = ["url", "ipv4", "ipv6", "stun_port", "certificate"]

    private let reader: ConfigurationReader

    init(_ reader: ConfigurationReader) { self.reader = reader }

    func region() throws(ConfigurationError) -> DERPRegion {
        guard let id = try reader.integer("id", in: 1...65_535) else {
            throw reader.wrongType("id", "a number from 1 to 65535")
        }
        let code = try reader.string("code") ?? "region-\(id)"
        let name = try reader.string("name") ?? code
        var nodes: [DERPNode] = []
        for relay in try reader.tables("relays", keys: Self.relayKeys) {
            nodes.append(try node(relay, region: id, number: nodes.count))
        }
        guard !nodes.isEmpty else {
            throw reader.wrongType(
                "relays", "a list such as [{ url = \"https://relay.example.org\" }]")
        }
        return DERPRegion(id: id, code: code, name: name, nodes: nodes)
    }

    private func node(
        _ reader: ConfigurationReader, region: Int, number: Int
    ) throws(ConfigurationError) -> DERPNode {
        let text = try reader.string("url") ?? ""
        guard let address = ServerConfiguration.RelayAddress(url: text), address.isSecure else {
            throw reader.error(
                "url", text,
                "write https://HOST or https://HOST:PORT; nodes speak to relays in TLS only")
        }
        // Names only have to differ; those of the official map are the region and a letter.
        var node = DERPNode(name: "\(region)-\(number + 1)", regionID: region, at: address)
        node.ipv4 = try reader.ipv4("ipv4") ?? node.ipv4
        node.ipv6 = try reader.ipv6("ipv6") ?? node.ipv6
        node.stunPort = try reader.integer("stun_port", in: -1...65_535) ?? 0
        node.certificateName = try reader.string("certificate") ?? ""
        return node
    }
}
