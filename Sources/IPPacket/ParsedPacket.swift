package import NetTypes

/// What a packet filter and a router need to know of an IP packet, found in one pass.

package struct ParsedPacket: Equatable, Sendable {
    package enum Fragment: Sendable {
        /// Not a fragment.
        case whole
        /// The first fragment, which has the transport header.
        case first
        /// A later one, without transport header and therefore without ports.
        case later
    }

    package var source: IPAddress
    package var destination: IPAddress
    /// IPv6: the next header after the fixed one and a fragment header. Other extension headers are
    /// not walked: such a packet is of an unknown protocol.
    package var `protocol`: IPProtocol
    package var fragment: Fragment
    /// 0 without ports.
    package var sourcePort: UInt16 = 0
    /// 0 without ports.
    package var destinationPort: UInt16 = 0
    /// Empty unless TCP.
    package var tcpFlags: TCPFlags = []
    /// Nil unless ICMP with the version that fits.
    package var icmp: ICMPKind?
    /// Where the transport header, or what a later fragment carries, begins.
    package var transportOffset: Int
    /// The length the packet gives itself; bytes behind it are padding.
    package var byteCount: Int

    /// The first byte a later fragment may carry: an IPv4 header with options and a TCP header
    /// without any fit before it.
    package static var laterFragmentOffsetMin: Int { 80 }

    /// Reads the headers of `packet`. A transport header that must be there and is cut is an error.
    package init(_ packet: RawSpan) throws(IPPacketError) {
        guard packet.byteCount > 0 else { throw .truncated(needed: 20, have: 0) }
        let offset: Int
        let moreFragments: Bool
        switch packet.byte(at: 0) >> 4 {
        case 4:
            let view = try IPv4View(packet)
            source = .v4(view.source)
            destination = .v4(view.destination)
            `protocol` = view.protocol
            transportOffset = view.headerByteCount
            byteCount = view.totalByteCount
            offset = view.fragmentOffset
            moreFragments = view.moreFragments
        case 6:
            let view = try IPv6View(packet)
            source = .v6(view.source)
            destination = .v6(view.destination)
            transportOffset = IPv6View.headerByteCount
            byteCount = view.totalByteCount
            if view.nextHeader == .ipv6Fragment {
                let end = transportOffset + IPv6View.fragmentHeaderByteCount
                guard end <= byteCount else { throw .truncated(needed: end, have: byteCount) }
                `protocol` = IPProtocol(rawValue: packet.byte(at: transportOffset))
                let field = packet.bigEndian(at: transportOffset + 2, as: UInt16.self)
                // The offset stands in units of eight bytes above three other bits.
                offset = Int(field & 0xFFF8)
                moreFragments = field & 1 != 0
                transportOffset = end
            } else {
                `protocol` = view.nextHeader
                offset = 0
                moreFragments = false
            }
        case let version: throw .badVersion(version)
        }
        if offset > 0 {
            guard offset >= Self.laterFragmentOffsetMin else {
                throw .overlappingFragment(offset: offset)
            }
            fragment = .later
            return
        }
        fragment = moreFragments ? .first : .whole
        try readTransport(packet)
    }

    private mutating func readTransport(_ packet: RawSpan) throws(IPPacketError) {
        let have = byteCount - transportOffset
        switch `protocol` {
        case .tcp:
            guard have >= TCPView.headerByteCount else {
                throw .truncated(needed: TCPView.headerByteCount, have: have)
            }
            tcpFlags = TCPFlags(rawValue: packet.byte(at: transportOffset + 13))
        case .udp:
            guard have >= UDPView.headerByteCount else {
                throw .truncated(needed: UDPView.headerByteCount, have: have)
            }
        case .sctp:
            // The common header of RFC 9260 §3.1.
            guard have >= 12 else { throw .truncated(needed: 12, have: have) }
        case .icmpv4 where source.isIPv4, .icmpv6 where source.isIPv6:
            guard have >= ICMPView.headerByteCount else {
                throw .truncated(needed: ICMPView.headerByteCount, have: have)
            }
            let type = packet.byte(at: transportOffset)
            icmp = source.isIPv4 ? ICMPKind(v4Type: type) : ICMPKind(v6Type: type)
            return
        default: return
        }
        sourcePort = packet.bigEndian(at: transportOffset)
        destinationPort = packet.bigEndian(at: transportOffset + 2)
    }

    /// The flow the packet belongs to, in its direction.
    @inlinable package var flow: FlowKey {
        FlowKey(
            protocol: `protocol`, source: Endpoint(source, port: sourcePort),
            destination: Endpoint(destination, port: destinationPort))
    }
}
