internal import NetTypes

/// Crypto-routing (paper §2): which peer each inner address belongs to. A prefix belongs to one peer
/// at a time; giving it to another moves it.
struct AllowedIPs {
    private var v4 = PrefixTrie()
    private var v6 = PrefixTrie()

    /// The number of the peer with the longest prefix that holds `address`.
    func peer(for address: IPAddress) -> Int? {
        switch address {
        case .v4: v4.longestMatch(Self.key(address))
        case .v6: v6.longestMatch(Self.key(address))
        }
    }

    /// Returns the peer that had the prefix before.
    mutating func insert(_ prefix: IPPrefix, peer: Int) -> Int? {
        let key = Self.key(prefix.address)
        return prefix.address.isIPv4
            ? v4.insert(key, length: Int(prefix.length), value: peer)
            : v6.insert(key, length: Int(prefix.length), value: peer)
    }

    mutating func remove(_ prefix: IPPrefix) {
        let key = Self.key(prefix.address)
        if prefix.address.isIPv4 {
            v4.remove(key, length: Int(prefix.length))
        } else {
            v6.remove(key, length: Int(prefix.length))
        }
    }

    private static func key(_ address: IPAddress) -> UInt128 {
        switch address {
        case .v4(let address): UInt128(address.bits) << 96
        case .v6(let address): UInt128(address.high) << 64 | UInt128(address.low)
        }
    }
}
