package import NetTypes

/// The addresses from one to another of the same family, both included.
package struct AddressRange: Hashable, Sendable {
    package let first: IPAddress
    package let last: IPAddress

    /// Nil when the families differ or `last` comes before `first`.
    package init?(_ first: IPAddress, through last: IPAddress) {
        guard first.isIPv4 == last.isIPv4, first <= last else { return nil }
        self.first = first
        self.last = last
    }
    package init(_ address: IPAddress) {
        first = address
        last = address
    }
    package init(_ prefix: IPPrefix) {
        let masked = prefix.masked
        first = masked.address
        switch masked.address {
        case .v4(let address):
            let host: UInt32 = prefix.length == 0 ? ~0 : (1 << UInt32(32 - prefix.length)) - 1
            last = .v4(IPv4Address(bits: address.bits | host))
        case .v6(let address):
            last = .v6(IPv6Address(integer: address.integer | Self.hostBits(prefix.length)))
        }
    }

    private static func hostBits(_ length: UInt8) -> UInt128 {
        length == 0 ? ~0 : (1 << UInt128(128 - length)) - 1
    }

    package static var allIPv4: Self { Self(IPPrefix(.v4(.any), length: 0)) }
    package static var allIPv6: Self { Self(IPPrefix(.v6(.any), length: 0)) }
    /// What `*` stands for.
    package static var all: [Self] { [.allIPv4, .allIPv6] }

    package func contains(_ address: IPAddress) -> Bool {
        address.isIPv4 == first.isIPv4 && first <= address && address <= last
    }

    /// Reads what a rule may name (control protocol, "Packet filter"): `*`, an address, a prefix
    /// whose host bits are zero, a range `a-b`. Nil when `text` is none of them.
    package static func parse(_ text: some StringProtocol) -> [AddressRange]? {
        if text == "*" { return all }
        if let address = IPAddress(text) { return [AddressRange(address)] }
        if let prefix = IPPrefix(text) {
            return prefix == prefix.masked ? [AddressRange(prefix)] : nil
        }
        guard let dash = text.firstIndex(of: "-"), let first = IPAddress(text[..<dash]),
            let last = IPAddress(text[text.index(after: dash)...]),
            let range = AddressRange(first, through: last)
        else { return nil }
        return [range]
    }
}

extension AddressRange: CustomStringConvertible {
    package var description: String { first == last ? "\(first)" : "\(first)-\(last)" }
}

extension IPv6Address {
    init(integer: UInt128) {
        self.init(
            high: UInt64(truncatingIfNeeded: integer >> 64),
            low: UInt64(truncatingIfNeeded: integer))
    }
    /// The address as a number, which sorts and counts as the address does.
    var integer: UInt128 { UInt128(high) << 64 | UInt128(low) }
}
