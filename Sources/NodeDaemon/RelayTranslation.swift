import ControlMessages
import DERPClient
import NetReport
import NetTypes

/// How the relay map of the control protocol looks to the relay pool and to the network report.
///
/// A relay is spoken to without TLS only where the map's node is the coordination server itself and
/// that is used over plain HTTP: then there is no TLS to lose.
struct RelayTranslation {
    /// The coordination server, when it is used over plain HTTP.
    var plainHTTPServer: (host: String, port: UInt16)?
    /// Addresses of host names that the map gives none for.
    var resolved: [String: ResolvedName]
    /// How relays that have IPv4 only are reached from a network without.
    var nat64: NAT64Prefix?

    func relayMap(_ map: DERPMap) -> RelayMap {
        var regions: [Int: RelayMap.Region] = [:]
        for (id, region) in map.regions ?? [:] {
            let nodes = region.nodes.filter { !$0.isSTUNOnly }.map { node in
                let port = Self.port(node)
                let isServer =
                    plainHTTPServer.map { $0.host == node.hostName && $0.port == port } ?? false
                return RelayMap.Node(
                    name: node.name, hostName: node.hostName, ipv4: IPv4Address(node.ipv4),
                    ipv6: IPv6Address(node.ipv6) ?? synthesized(node),
                    usesIPv4: node.ipv4 != "none", usesIPv6: node.ipv6 != "none", port: port,
                    certName: node.certificateName.isEmpty ? nil : node.certificateName,
                    isPlainHTTP: isServer, isInsecureForTests: node.isInsecureForTests)
            }
            regions[id] = RelayMap.Region(id: id, code: region.code, nodes: nodes)
        }
        return RelayMap(regions: regions)
    }

    func regions(_ map: DERPMap) -> [RelayRegion] {
        (map.regions ?? [:]).sorted { $0.key < $1.key }.map { id, region in
            RelayRegion(
                id: id, nodes: region.nodes.map(stunServer),
                isMeasured: !region.isNeverHome && !region.isAvoided,
                score: map.regionScores?[id] ?? 1)
        }
    }

    /// Host names whose addresses have to be asked for, sorted.
    static func namesToResolve(_ map: DERPMap) -> [String] {
        let nodes = (map.regions ?? [:]).values.flatMap(\.nodes)
        let names = nodes.filter {
            IPAddress($0.hostName) == nil && $0.ipv4.isEmpty && $0.ipv6.isEmpty
                && !$0.hostName.isEmpty
        }.map(\.hostName)
        return Set(names).sorted()
    }

    private func synthesized(_ node: DERPNode) -> IPv6Address? {
        guard let nat64, node.ipv6.isEmpty else { return nil }
        return IPv4Address(node.ipv4).map { nat64.synthesize($0) }
    }

    private func stunServer(_ node: DERPNode) -> RelayRegion.Node {
        let name = resolved[node.hostName]
        var ipv4 = IPv4Address(node.ipv4)
        var ipv6 = IPv6Address(node.ipv6)
        switch IPAddress(node.hostName) {
        case .v4(let address): if node.ipv4.isEmpty { ipv4 = address }
        case .v6(let address): if node.ipv6.isEmpty { ipv6 = address }
        case nil:
            if node.ipv4.isEmpty { ipv4 = name?.ipv4 }
            if node.ipv6.isEmpty { ipv6 = name?.ipv6 }
        }
        // What a name server made up for an IPv4 host says nothing about IPv6.
        if let address = ipv6, let inner = nat64?.extract(address) {
            ipv6 = nil
            ipv4 = ipv4 ?? inner
        }
        let port: UInt16? =
            switch node.stunPort {
            case 0: 3478
            case 1...65535: UInt16(node.stunPort)
            default: nil
            }
        return RelayRegion.Node(ipv4: ipv4, ipv6: ipv6, stunPort: port)
    }

    private static func port(_ node: DERPNode) -> UInt16 {
        (1...65535).contains(node.derpPort) ? UInt16(node.derpPort) : 443
    }
}
