package import NetTypes

/// An IPv6 prefix by which IPv4 hosts are reached through a translator (RFC 6052).
package struct NAT64Prefix: Hashable, Sendable {
    /// The prefix lengths that there are (RFC 6052 §2.2).
    package static let lengths = [32, 40, 48, 56, 64, 96]
    /// `64:ff9b::/96` (RFC 6052 §2.1).
    package static let wellKnown = NAT64Prefix(
        unchecked: IPv6Address(high: 0x0064_FF9B_0000_0000, low: 0), length: 96)
    /// What `ipv4only.arpa` has as IPv4 addresses (RFC 7050 §8.2).
    package static let knownIPv4 = [IPv4Address(192, 0, 0, 170), IPv4Address(192, 0, 0, 171)]

    package let address: IPv6Address
    package let length: Int

    private init(unchecked address: IPv6Address, length: Int) {
        self.address = address
        self.length = length
    }

    /// Nil for another length, and where bits below the prefix or bits 64 to 71 are set.
    package init?(_ address: IPv6Address, length: Int) {
        guard Self.lengths.contains(length) else { return nil }
        let kept = Self.masked(address, to: length)
        guard kept == address, address.low >> 56 == 0 else { return nil }
        self.init(unchecked: address, length: length)
    }

    /// The prefix that an address of `ipv4only.arpa` shows (RFC 7050 §3): where one of the two known
    /// IPv4 addresses stands in it. Nil for any other address, such as a real one.
    package init?(discoveredIn address: IPv6Address) {
        for length in Self.lengths {
            let prefix = Self.masked(address, to: length)
            guard let candidate = NAT64Prefix(prefix, length: length),
                let inner = candidate.extract(address), Self.knownIPv4.contains(inner)
            else { continue }
            self = candidate
            return
        }
        return nil
    }

    /// The IPv6 address that stands for an IPv4 one (RFC 6052 §2.2): its bits follow the prefix,
    /// leaving out bits 64 to 71, and the suffix is zero.
    package func synthesize(_ inner: IPv4Address) -> IPv6Address {
        let bits = UInt64(inner.bits)
        switch length {
        case 96: return IPv6Address(high: address.high, low: address.low | bits)
        case 64: return IPv6Address(high: address.high, low: bits << 24)
        default:
            // So many bits go before bit 64, the rest behind bit 71.
            let before = 64 - length
            let high = before >= 32 ? bits << UInt64(before - 32) : bits >> UInt64(32 - before)
            let rest = 32 - min(before, 32)
            let low = rest == 0 ? 0 : (bits & (1 << UInt64(rest) - 1)) << UInt64(56 - rest)
            return IPv6Address(high: address.high | high, low: low)
        }
    }

    /// The IPv4 address that `synthesize` makes this one of; nil for any other.
    package func extract(_ outer: IPv6Address) -> IPv4Address? {
        let bits: UInt64
        switch length {
        case 96: bits = outer.low & 0xFFFF_FFFF
        case 64: bits = outer.low >> 24 & 0xFFFF_FFFF
        default:
            let before = 64 - length
            let rest = 32 - min(before, 32)
            let upper =
                before >= 32
                ? outer.high >> UInt64(before - 32) & 0xFFFF_FFFF
                : (outer.high & (1 << UInt64(before) - 1)) << UInt64(rest)
            let lower = rest == 0 ? 0 : outer.low >> UInt64(56 - rest) & (1 << UInt64(rest) - 1)
            bits = upper | lower
        }
        let inner = IPv4Address(bits: UInt32(truncatingIfNeeded: bits))
        return synthesize(inner) == outer ? inner : nil
    }

    private static func masked(_ address: IPv6Address, to length: Int) -> IPv6Address {
        length >= 64
            ? IPv6Address(
                high: address.high,
                low: length == 64 ? 0 : address.low & (~0 << UInt64(128 - length)))
            : IPv6Address(high: address.high & (~0 << UInt64(64 - length)), low: 0)
    }
}

extension NAT64Prefix: CustomStringConvertible {
    package var description: String { "\(address)/\(length)" }
}
