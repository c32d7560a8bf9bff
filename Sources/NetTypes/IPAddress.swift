/// An IPv4 address.
@frozen
public struct IPv4Address: Hashable, Comparable, Sendable, BitwiseCopyable {
    /// Host byte order: 10.0.0.1 is 0x0A00_0001.
    public var bits: UInt32

    @inlinable public init(bits: UInt32) { self.bits = bits }
    @inlinable public init(_ a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8) {
        bits = UInt32(a) << 24 | UInt32(b) << 16 | UInt32(c) << 8 | UInt32(d)
    }

    @inlinable public static func < (left: Self, right: Self) -> Bool { left.bits < right.bits }
    @inlinable public static var any: Self { Self(bits: 0) }
    @inlinable public static var loopback: Self { Self(127, 0, 0, 1) }
}

/// An IPv6 address. Zones are not modelled: an interface is named beside the address where it matters.
@frozen
public struct IPv6Address: Hashable, Comparable, Sendable, BitwiseCopyable {
    /// The first eight bytes, in host byte order.
    public var high: UInt64
    /// The last eight bytes, in host byte order.
    public var low: UInt64

    @inlinable public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
    /// `::ffff:a.b.c.d` (RFC 4291 §2.5.5.2).
    @inlinable public init(mapped address: IPv4Address) {
        self.init(high: 0, low: 0xFFFF_0000_0000 | UInt64(address.bits))
    }

    /// The IPv4 address inside a v4-mapped one.
    @inlinable public var mappedIPv4: IPv4Address? {
        high == 0 && low >> 32 == 0xFFFF ? IPv4Address(bits: UInt32(truncatingIfNeeded: low)) : nil
    }
    @inlinable public static func < (left: Self, right: Self) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }
    @inlinable public static var any: Self { Self(high: 0, low: 0) }
    @inlinable public static var loopback: Self { Self(high: 0, low: 1) }
}

/// An IPv4 or IPv6 address. IPv4 sorts before IPv6.
@frozen
public enum IPAddress: Hashable, Sendable, BitwiseCopyable {
    case v4(IPv4Address)
    case v6(IPv6Address)

    @inlinable public var isIPv4: Bool { if case .v4 = self { true } else { false } }
    @inlinable public var isIPv6: Bool { !isIPv4 }
    /// 32 or 128.
    @inlinable public var bitWidth: Int { isIPv4 ? 32 : 128 }

    /// IPv4 when `address` is v4-mapped, which is how 16-byte wire fields carry IPv4.
    @inlinable public init(unmapping address: IPv6Address) {
        self = address.mappedIPv4.map { .v4($0) } ?? .v6(address)
    }
    /// The 16-byte form, IPv4 v4-mapped.
    @inlinable public var mapped: IPv6Address {
        switch self {
        case .v4(let address): IPv6Address(mapped: address)
        case .v6(let address): address
        }
    }

    public var isUnspecified: Bool {
        switch self {
        case .v4(let address): address == .any
        case .v6(let address): address == .any
        }
    }
    public var isLoopback: Bool {
        switch self {
        case .v4(let address): address.bits >> 24 == 127
        case .v6(let address): address == .loopback
        }
    }
    /// 169.254/16, fe80::/10.
    public var isLinkLocal: Bool {
        switch self {
        case .v4(let address): address.bits >> 16 == 0xA9FE
        case .v6(let address): address.high >> 54 == 0xFE80 >> 6
        }
    }
    public var isMulticast: Bool {
        switch self {
        case .v4(let address): address.bits >> 28 == 0xE
        case .v6(let address): address.high >> 56 == 0xFF
        }
    }
    /// RFC 1918, or fc00::/7 (RFC 4193).
    public var isPrivate: Bool {
        switch self {
        case .v4(let address):
            address.bits >> 24 == 10 || address.bits >> 20 == 0xAC1 || address.bits >> 16 == 0xC0A8
        case .v6(let address): address.high >> 57 == 0xFC >> 1
        }
    }
}

extension IPAddress: Comparable {
    @inlinable public static func < (left: Self, right: Self) -> Bool {
        switch (left, right) {
        case (.v4(let a), .v4(let b)): a < b
        case (.v6(let a), .v6(let b)): a < b
        case (.v4, .v6): true
        case (.v6, .v4): false
        }
    }
}

extension IPv4Address: CustomStringConvertible {
    public var description: String {
        "\(bits >> 24).\(bits >> 16 & 0xFF).\(bits >> 8 & 0xFF).\(bits & 0xFF)"
    }

    /// Four decimal numbers without leading zeros (`010` means 8 to some readers and 10 to others).
    public init?(_ text: some StringProtocol) {
        var value: UInt32 = 0
        var parts = 0
        for part in text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        {
            guard parts < 4, (1...3).contains(part.count),
                part.count == 1 || part.first != UInt8(ascii: "0")
            else { return nil }
            var octet: UInt32 = 0
            for digit in part {
                guard (0x30...0x39).contains(digit) else { return nil }
                octet = octet * 10 + UInt32(digit - 0x30)
            }
            guard octet <= 255 else { return nil }
            value = value << 8 | octet
            parts += 1
        }
        guard parts == 4 else { return nil }
        bits = value
    }
}

extension IPv6Address: CustomStringConvertible {
    /// The eight 16-bit groups.
    private var groups: [UInt16] {
        (0..<8).map { index in
            UInt16(truncatingIfNeeded: (index < 4 ? high : low) >> UInt64(48 - 16 * (index % 4)))
        }
    }

    /// The canonical form of RFC 5952: lower case, the longest run of two or more zero groups cut.
    public var description: String {
        if let inner = mappedIPv4 { return "::ffff:\(inner)" }
        let groups = groups
        var best = 0..<0
        var start = 0
        while start < 8 {
            var end = start
            while end < 8, groups[end] == 0 { end += 1 }
            if end - start >= 2, end - start > best.count { best = start..<end }
            start = max(end, start + 1)
        }
        let texts = groups.map { String($0, radix: 16) }
        if best.isEmpty { return texts.joined(separator: ":") }
        return texts[..<best.lowerBound].joined(separator: ":") + "::"
            + texts[best.upperBound...].joined(separator: ":")
    }

    /// The text forms of RFC 4291 §2.2, without a zone.
    public init?(_ text: some StringProtocol) {
        var head: [UInt16] = []
        var tail: [UInt16] = []
        var sawGap = false
        var rest = Substring(text)
        if rest.hasPrefix("::") {
            sawGap = true
            rest = rest.dropFirst(2)
        }
        while !rest.isEmpty {
            let end = rest.firstIndex(of: ":") ?? rest.endIndex
            let part = rest[..<end]
            var parsed: [UInt16]
            if part.contains(".") {
                guard end == rest.endIndex, let inner = IPv4Address(part) else { return nil }
                parsed = [UInt16(inner.bits >> 16), UInt16(truncatingIfNeeded: inner.bits)]
            } else {
                guard (1...4).contains(part.utf8.count), part.allSatisfy(\.isHexDigit),
                    let group = UInt16(part, radix: 16)
                else { return nil }
                parsed = [group]
            }
            if sawGap { tail += parsed } else { head += parsed }
            guard head.count + tail.count <= 8 else { return nil }
            rest = rest[end...]
            if rest.isEmpty { break }
            rest = rest.dropFirst()
            if rest.hasPrefix(":") {
                guard !sawGap else { return nil }
                sawGap = true
                rest = rest.dropFirst()
            } else if rest.isEmpty {
                return nil
            }
        }
        let missing = 8 - head.count - tail.count
        guard sawGap ? missing >= 1 : missing == 0 else { return nil }
        let groups = head + Array(repeating: 0, count: missing) + tail
        high = groups[..<4].reduce(0) { $0 << 16 | UInt64($1) }
        low = groups[4...].reduce(0) { $0 << 16 | UInt64($1) }
    }
}

extension IPAddress: CustomStringConvertible {
    public var description: String {
        switch self {
        case .v4(let address): address.description
        case .v6(let address): address.description
        }
    }

    public init?(_ text: some StringProtocol) {
        if let address = IPv4Address(text) {
            self = .v4(address)
        } else if let address = IPv6Address(text) {
            self = .v6(address)
        } else {
            return nil
        }
    }
}
