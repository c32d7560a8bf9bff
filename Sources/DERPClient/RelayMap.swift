package import NetTypes

/// The relays a node may use, by region: what the pool needs of the control server's DERP map.
package struct RelayMap: Hashable, Sendable {
    package var regions: [Int: Region]

    package init(regions: [Int: Region] = [:]) { self.regions = regions }

    /// Relays that count as one: a client connects to one of them.
    package struct Region: Hashable, Sendable {
        package var id: Int
        package var code: String
        /// In order of preference. Nodes that only answer STUN do not belong here.
        package var nodes: [Node]

        package init(id: Int, code: String, nodes: [Node]) {
            self.id = id
            self.code = code
            self.nodes = nodes
        }
    }

    /// One relay.
    package struct Node: Hashable, Sendable {
        package var name: String
        /// Resolved by DNS unless an address is given; also the server name of TLS.
        package var hostName: String
        /// Addresses that need no DNS. When one is given, DNS is not asked at all.
        package var ipv4: IPv4Address?
        package var ipv6: IPv6Address?
        /// The map says `none` for the family: never use it.
        package var usesIPv4: Bool
        package var usesIPv6: Bool
        package var port: UInt16
        /// The name in the certificate when it differs from the host's, or `sha256-raw:` and the
        /// hash of the leaf certificate.
        package var certName: String?
        /// HTTP without TLS.
        package var isPlainHTTP: Bool
        /// TLS without verification.
        package var isInsecureForTests: Bool

        package init(
            name: String, hostName: String, ipv4: IPv4Address? = nil, ipv6: IPv6Address? = nil,
            usesIPv4: Bool = true, usesIPv6: Bool = true, port: UInt16 = 443,
            certName: String? = nil, isPlainHTTP: Bool = false, isInsecureForTests: Bool = false
        ) {
            self.name = name
            self.hostName = hostName
            self.ipv4 = ipv4
            self.ipv6 = ipv6
            self.usesIPv4 = usesIPv4
            self.usesIPv6 = usesIPv6
            self.port = port
            self.certName = certName
            self.isPlainHTTP = isPlainHTTP
            self.isInsecureForTests = isInsecureForTests
        }
    }
}
