/// An address and the number of its leading bits that count, such as `100.64.0.0/10`.
@frozen
public struct IPPrefix: Hashable, Sendable, BitwiseCopyable {
    /// As given: bits past `length` may be set. See `masked`.
    public var address: IPAddress
    /// 0...32 or 0...128.
    public var length: UInt8

    /// Traps when `length` is larger than the address has bits.
    @inlinable public init(_ address: IPAddress, length: Int) {
        precondition((0...address.bitWidth).contains(length), "prefix length out of range")
        self.address = address
        self.length = UInt8(length)
    }
    /// 100.64.0.0/10 (RFC 6598): nodes have their IPv4 addresses here. Carriers use it as well, so it
    /// may also be that of an underlay.
    public static var tunnelIPv4: Self { Self(.v4(IPv4Address(100, 64, 0, 0)), length: 10) }
    /// fd7a:115c:a1e0::/48, from which nodes have their IPv6 addresses: never that of an underlay.
    public static var tunnelIPv6: Self {
        Self(.v6(IPv6Address(high: 0xFD7A_115C_A1E0_0000, low: 0)), length: 48)
    }

    /// The prefix that holds just `address`.
    @inlinable public init(host address: IPAddress) {
        self.init(address, length: address.bitWidth)
    }

    @inlinable public var isSingleAddress: Bool { Int(length) == address.bitWidth }

    /// The same prefix with the host bits cleared.
    @inlinable public var masked: Self {
        switch address {
        case .v4(let value):
            let bits = value.bits & (length == 0 ? 0 : ~0 << UInt32(32 - length))
            return Self(.v4(IPv4Address(bits: bits)), length: Int(length))
        case .v6(let value):
            let high = value.high & (length == 0 ? 0 : ~0 << UInt64(64 - min(length, 64)))
            let low = value.low & (length <= 64 ? 0 : ~0 << UInt64(128 - Int(length)))
            return Self(.v6(IPv6Address(high: high, low: low)), length: Int(length))
        }
    }

    @inlinable public func contains(_ other: IPAddress) -> Bool {
        other.isIPv4 == address.isIPv4
            && Self(other, length: Int(length)).masked.address == masked.address
    }
    /// Whether every address of `other` is in this prefix.
    @inlinable public func contains(_ other: IPPrefix) -> Bool {
        other.length >= length && contains(other.address)
    }
    @inlinable public func overlaps(_ other: IPPrefix) -> Bool {
        contains(other) || other.contains(self)
    }
}

extension IPPrefix: CustomStringConvertible, Comparable {
    public static func < (left: Self, right: Self) -> Bool {
        (left.address, left.length) < (right.address, right.length)
    }

    public var description: String { "\(address)/\(length)" }

    /// `ADDRESS/LENGTH`. A bare address is not a prefix; say `/32` or `/128`.
    public init?(_ text: some StringProtocol) {
        guard let slash = text.lastIndex(of: "/"), let address = IPAddress(text[..<slash]) else {
            return nil
        }
        let digits = text[text.index(after: slash)...]
        guard (1...3).contains(digits.utf8.count),
            digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            digits.utf8.count == 1 || digits.utf8.first != 0x30,
            let length = Int(digits), length <= address.bitWidth
        else { return nil }
        self.init(address, length: length)
    }
}
