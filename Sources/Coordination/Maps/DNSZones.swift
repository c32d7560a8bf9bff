package import ControlMessages
package import NetTypes

extension CoordinationSettings {
    /// MagicDNS for the base domain and for the names of the network's addresses.
    package var dnsConfig: DNSConfig {
        var config = DNSConfig()
        config.isProxied = true
        config.domains = [baseDomain]
        for zone in [ipv4Range, ipv6Range].compactMap({ $0 }).flatMap(reverseZones) {
            // Without resolvers: MagicDNS itself answers.
            config.routes[zone] = []
        }
        return config
    }
}

/// The zones for reverse lookups that cover a prefix (RFC 1035 §3.5, RFC 3596 §2.5), without
/// trailing dot. A prefix that ends within a label takes several.
package func reverseZones(of prefix: IPPrefix) -> [String] {
    switch prefix.masked.address {
    case .v4(let address):
        let labels = (Int(prefix.length) + 7) / 8
        let spare = labels * 8 - Int(prefix.length)
        let number = labels == 0 ? 0 : address.bits >> UInt32(32 - labels * 8)
        return (0..<(UInt32(1) << UInt32(spare))).map { index in
            let zone = UInt64(number) + UInt64(index)
            let octets = (0..<labels).map { String(zone >> UInt64(8 * $0) & 0xFF) }
            return (octets + ["in-addr.arpa"]).joined(separator: ".")
        }
    case .v6(let address):
        let labels = (Int(prefix.length) + 3) / 4
        let spare = labels * 4 - Int(prefix.length)
        return (0..<(1 << spare)).map { index in
            let nibbles = (0..<labels).reversed().map { position -> String in
                let word = position < 16 ? address.high : address.low
                let nibble = word >> UInt64(60 - 4 * (position % 16)) & 0xF
                let isLast = position == labels - 1
                return String(nibble + (isLast ? UInt64(index) : 0), radix: 16)
            }
            return (nibbles + ["ip6.arpa"]).joined(separator: ".")
        }
    }
}
