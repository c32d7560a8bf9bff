/// The number that says what an IP packet carries.

package struct IPProtocol: RawRepresentable, Hashable, Comparable, Sendable, BitwiseCopyable {
    package var rawValue: UInt8
    @inlinable package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Extension headers of IPv6 (RFC 8200 §4.3, §4.6).
    @inlinable package static var hopByHopOptions: Self { Self(rawValue: 0) }
    @inlinable package static var destinationOptions: Self { Self(rawValue: 60) }
    @inlinable package static var icmpv4: Self { Self(rawValue: 1) }
    @inlinable package static var tcp: Self { Self(rawValue: 6) }
    @inlinable package static var udp: Self { Self(rawValue: 17) }
    /// The fragment header of IPv6 (RFC 8200 §4.5).
    @inlinable package static var ipv6Fragment: Self { Self(rawValue: 44) }
    @inlinable package static var icmpv6: Self { Self(rawValue: 58) }
    /// "Any private encryption scheme", which the mesh uses for messages between nodes.
    @inlinable package static var tsmp: Self { Self(rawValue: 99) }
    @inlinable package static var sctp: Self { Self(rawValue: 132) }

    /// Whether the header begins with a source and a destination port.
    @inlinable package var hasPorts: Bool { self == .tcp || self == .udp || self == .sctp }
    /// Said here because the one that comes with `RawRepresentable` is not inlined.
    @inlinable @inline(__always)
    package static func == (left: Self, right: Self) -> Bool { left.rawValue == right.rawValue }
    @inlinable package static func < (left: Self, right: Self) -> Bool {
        left.rawValue < right.rawValue
    }
}

extension IPProtocol: CustomStringConvertible {
    package var description: String {
        switch self {
        case .icmpv4: "ICMP"
        case .tcp: "TCP"
        case .udp: "UDP"
        case .icmpv6: "ICMPv6"
        case .tsmp: "TSMP"
        case .sctp: "SCTP"
        default: "protocol \(rawValue)"
        }
    }
}

/// Why bytes are no IP packet, or not one whose transport header can be read.
package enum IPPacketError: Error, Equatable, Sendable {
    /// Fewer bytes than the header named needs.
    case truncated(needed: Int, have: Int)
    /// Neither 4 nor 6.
    case badVersion(UInt8)
    /// IPv4: a header length below 20. TCP: a data offset below 20.
    case badHeaderLength(Int)
    /// The packet says it is shorter than its header or longer than the bytes at hand.
    case badTotalLength(Int)
    /// A later fragment that begins so early that it could overwrite a transport header that was
    /// already looked at (RFC 1858).
    case overlappingFragment(offset: Int)
}
