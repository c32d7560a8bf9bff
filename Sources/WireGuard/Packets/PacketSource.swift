import NetTypes

// The engine keeps no endpoints: it hands a source back with what it learnt, and binds cookies to it.
extension PacketSource {
    /// The bytes a cookie is bound to. The first byte keeps the two forms apart.
    var cookieBytes: [UInt8] {
        var bytes: [UInt8] = []
        switch self {
        case .direct(let endpoint):
            bytes.append(0)
            bytes.append(endpoint)
        case .relay(let region, let node):
            bytes.append(1)
            bytes.appendBigEndian(Int64(region))
            bytes.append(node.bytes)
        }
        return bytes
    }

    /// What handshake rates are counted by: an IPv4 address, the /64 of an IPv6 one, or, because
    /// everybody behind a relay shares its address, the sender's key.
    var rateKey: RateKey {
        switch self {
        case .direct(let endpoint):
            switch endpoint.address {
            case .v4: .network(endpoint.address)
            case .v6(let address): .network(.v6(IPv6Address(high: address.high, low: 0)))
            }
        case .relay(_, let node): .node(node)
        }
    }
}

enum RateKey: Hashable {
    case network(IPAddress)
    case node(NodeKey)
}
