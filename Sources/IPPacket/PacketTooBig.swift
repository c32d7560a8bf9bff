internal import NetTypes

extension PacketBuilder {
    /// The answer to `packet`, of which no more than `mtu` bytes pass on the way: ICMP fragmentation
    /// needed (RFC 1191 §4) or ICMPv6 packet too big (RFC 4443 §3.2), from where the packet was
    /// going. Nil where none must be sent: to ICMP errors, to later fragments, to or from addresses
    /// that are not one host's, to IPv4 packets that may be fragmented, and where an IPv6 sender
    /// could not do anything about it, because 1280 bytes always have to pass.
    package static func tooBig(
        mtu: Int, about packet: RawSpan, _ parsed: ParsedPacket
    ) -> [UInt8]? {
        guard parsed.byteCount > mtu, parsed.fragment != .later, parsed.icmp != .error,
            parsed.byteCount <= packet.byteCount,
            isHost(parsed.source), isHost(parsed.destination)
        else { return nil }
        let quoteMax: Int
        if parsed.source.isIPv4 {
            // The flag "don't fragment".
            guard packet.byte(at: 6) & 0x40 != 0 else { return nil }
            quoteMax = 576 - 28
        } else {
            guard mtu >= ipv6MTUMin else { return nil }
            quoteMax = ipv6MTUMin - 48
        }
        let quote = packet.extracting(0..<min(parsed.byteCount, quoteMax)).array
        return icmp(
            type: parsed.source.isIPv4 ? 3 : 2, code: parsed.source.isIPv4 ? 4 : 0,
            rest: UInt32(mtu), from: parsed.destination, to: parsed.source, payload: quote)
    }

    /// What every IPv6 link carries (RFC 8200 §5).
    private static var ipv6MTUMin: Int { 1_280 }

    private static func isHost(_ address: IPAddress) -> Bool {
        !address.isUnspecified && !address.isMulticast && address != .v4(IPv4Address(bits: ~0))
    }
}

/// Lowers the largest segment that a TCP SYN announces (RFC 9293 §3.7.1) to what fits into packets of
/// `mtu` bytes. Returns whether the packet was changed. Malformed options are left alone.
@discardableResult
package func clampSegmentSize(
    of packet: inout MutableRawSpan, _ parsed: ParsedPacket, mtu: Int
) -> Bool {
    guard parsed.protocol == .tcp, parsed.tcpFlags.contains(.syn), parsed.fragment == .whole else {
        return false
    }
    let start = parsed.transportOffset
    let segmentMax = mtu - (start + TCPView.headerByteCount)
    let end = start + Int(packet.bytes.byte(at: start + 12) >> 4) * 4
    guard end <= parsed.byteCount, segmentMax > 0, segmentMax < 1 << 16,
        let field = segmentSizeOffset(in: packet.bytes, from: start + 20, to: end)
    else { return false }
    let old: UInt16 = packet.bytes.bigEndian(at: field)
    let new = UInt16(segmentMax)
    guard old > new else { return false }
    // The words of the checksum begin at even offsets within the segment; the field may not, and then
    // lies in two of them, the second of which has room because a header ends at a multiple of four.
    let word = field - (field - start) % 2
    let isAligned = word == field
    let before: UInt32 =
        isAligned ? UInt32(old) : packet.bytes.bigEndian(at: word)
    packet.storeBigEndian(new, at: field)
    let after: UInt32 =
        isAligned ? UInt32(new) : packet.bytes.bigEndian(at: word)
    let sum: UInt16 = packet.bytes.bigEndian(at: start + 16)
    packet.storeBigEndian(InternetChecksum.updated(sum, from: before, to: after), at: start + 16)
    return true
}

/// Where the value of the option "maximum segment size" stands among TCP options.
private func segmentSizeOffset(in packet: RawSpan, from start: Int, to end: Int) -> Int? {
    var offset = start
    while offset < end {
        switch packet.byte(at: offset) {
        case 0: return nil
        case 1: offset += 1
        case let kind:
            guard offset + 2 <= end else { return nil }
            let length = Int(packet.byte(at: offset + 1))
            guard length >= 2, offset + length <= end else { return nil }
            if kind == 2, length == 4 { return offset + 2 }
            offset += length
        }
    }
    return nil
}
