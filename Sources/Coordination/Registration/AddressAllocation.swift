import NetTypes

/// Which addresses a new node gets (control protocol §8.3).
package enum AddressAllocation {
    /// What must not be given away: MagicDNS and its surroundings, and the range of ChromeOS
    /// virtual machines.
    private static let reservedIPv4 = [
        IPPrefix(.v4(IPv4Address(100, 100, 100, 0)), length: 24),
        IPPrefix(.v4(IPv4Address(100, 115, 92, 0)), length: 23),
    ]
    /// The range in which IPv4 addresses are embedded, and the MagicDNS resolver.
    private static let reservedIPv6 = [
        IPPrefix(.v6(IPv6Address(high: 0xFD7A_115C_A1E0_0B1A, low: 0)), length: 64),
        IPPrefix(host: .v6(IPv6Address(high: 0xFD7A_115C_A1E0_0000, low: 0x53))),
    ]

    /// The next address in turn that is free; nil when none is.
    ///
    /// Addresses come one after the other and start again at the end, so that one that became free
    /// is not given to another node while peers may still remember the old.
    static func nextIPv4(in range: IPPrefix, state: CoordinationState) -> IPv4Address? {
        guard case .v4(let base) = range.masked.address else { return nil }
        let size = UInt64(1) << UInt64(32 - Int(range.length))
        guard UInt64(state.ipv4Count) < size else { return nil }
        let last = state.lastIPv4.flatMap { range.contains(.v4($0)) ? $0 : nil } ?? base
        var offset = UInt64(last.bits - base.bits)
        for _ in 0..<size {
            offset = (offset + 1) % size
            let candidate = IPv4Address(bits: base.bits + UInt32(offset))
            // The first and last address of a range are special to some systems.
            guard offset != 0 && offset != size - 1 || size < 4 else { continue }
            if let reserved = reservedIPv4.first(where: { $0.contains(.v4(candidate)) }) {
                // Go on behind the reserved range; `offset + 1` is next.
                if case .v4(let start) = reserved.masked.address {
                    let end = UInt64(start.bits) + 1 << UInt64(32 - reserved.length)
                    offset = min(end - 1 - UInt64(base.bits), size - 1)
                }
                continue
            }
            if state.isFree(candidate) { return candidate }
        }
        return nil
    }

    /// The address as far into the IPv6 range as `ipv4` is in its own, or the first free one behind.
    static func nextIPv6(
        in range: IPPrefix, beside ipv4: IPv4Address?, of ipv4Range: IPPrefix?,
        state: CoordinationState
    ) -> IPv6Address? {
        guard case .v6(let base) = range.masked.address else { return nil }
        var offset: UInt64 = 1
        if let ipv4, case .v4(let start)? = ipv4Range?.masked.address, ipv4.bits > start.bits {
            offset = UInt64(ipv4.bits - start.bits)
        }
        // No more than as many steps as there are nodes can meet a taken address.
        for _ in 0...(state.nodes.count + 2) {
            let candidate = IPv6Address(high: base.high, low: base.low &+ offset)
            guard range.contains(.v6(candidate)) else { return nil }
            if state.isFree(candidate),
                !reservedIPv6.contains(where: { $0.contains(.v6(candidate)) })
            {
                return candidate
            }
            offset += 1
        }
        return nil
    }
}
