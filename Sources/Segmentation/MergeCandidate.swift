internal import IPPacket
internal import NetTypes

/// A packet that may be merged with others: TCP or UDP, without IP options, extension headers or
/// fragmentation, of exactly the length its headers say. Values are read once; a packet that has them
/// can be read without checks.
struct MergeCandidate: BitwiseCopyable {
    var isIPv4: Bool
    var isTCP: Bool
    /// Whether anything may be merged with it: payload, no flags but ACK and PSH, a checksum.
    var isMergeable: Bool
    var hasPush: Bool
    /// IP and transport header.
    var headerByteCount: Int
    var payloadByteCount: Int
    /// TCP only.
    var sequence: UInt32
    /// Equal for all packets of a flow, rarely for two flows.
    var flowHash: UInt64

    var transportOffset: Int { isIPv4 ? 20 : 40 }

    /// Nil for anything else.
    @inline(__always)
    init?(_ packet: RawSpan) {
        guard packet.byteCount >= 28 else { return nil }
        let first = packet.byte(at: 0)
        let number: UInt8
        if first == 0x45 {
            guard Int(packet.bigEndian(at: 2, as: UInt16.self)) == packet.byteCount,
                // Neither an offset nor more to come.
                packet.bigEndian(at: 6, as: UInt16.self) & 0x3FFF == 0
            else { return nil }
            isIPv4 = true
            number = packet.byte(at: 9)
            flowHash = packet.littleEndian(at: 12)
        } else {
            guard first >> 4 == 6, packet.byteCount >= 48,
                Int(packet.bigEndian(at: 4, as: UInt16.self)) + 40 == packet.byteCount
            else { return nil }
            isIPv4 = false
            number = packet.byte(at: 6)
            flowHash =
                Self.mix(packet.littleEndian(at: 8), packet.littleEndian(at: 16))
                ^ Self.mix(packet.littleEndian(at: 24), packet.littleEndian(at: 32))
        }
        let start = isIPv4 ? 20 : 40
        flowHash = Self.mix(
            flowHash, UInt64(packet.littleEndian(at: start, as: UInt32.self)) << 8 | UInt64(number))
        if number == IPProtocol.tcp.rawValue {
            guard packet.byteCount >= start + TCPView.headerByteCount else { return nil }
            let header = Int(packet.byte(at: start + 12) >> 4) * 4
            guard header >= TCPView.headerByteCount, start + header <= packet.byteCount else {
                return nil
            }
            isTCP = true
            headerByteCount = start + header
            payloadByteCount = packet.byteCount - headerByteCount
            sequence = packet.bigEndian(at: start + 4)
            let flags = packet.byte(at: start + 13)
            hasPush = flags & TCPFlags.psh.rawValue != 0
            // The low bits of the byte before are reserved and accurate ECN.
            isMergeable =
                payloadByteCount > 0 && packet.byte(at: start + 12) & 0x0F == 0
                && flags & ~TCPFlags.psh.rawValue == TCPFlags.ack.rawValue
        } else if number == IPProtocol.udp.rawValue {
            guard
                Int(packet.bigEndian(at: start + 4, as: UInt16.self)) == packet.byteCount - start
            else { return nil }
            isTCP = false
            headerByteCount = start + UDPView.headerByteCount
            payloadByteCount = packet.byteCount - headerByteCount
            sequence = 0
            hasPush = false
            isMergeable =
                payloadByteCount > 0 && packet.bigEndian(at: start + 6, as: UInt16.self) != 0
        } else {
            return nil
        }
    }

    private static func mix(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let product = (left ^ 0xA076_1D64_78BD_642F)
            .multipliedFullWidth(by: right ^ 0xE703_7ED1_A0B4_28DB)
        return product.high ^ product.low
    }

    /// Whether the checksums of the packet this was read from are right.
    func isIntact(_ packet: RawSpan) -> Bool {
        if isIPv4 {
            var sum = InternetChecksum()
            sum.add(packet.extracting(0..<20))
            guard sum.value == 0 else { return false }
        }
        var sum = pseudoHeader(of: packet, transportByteCount: packet.byteCount - transportOffset)
        sum.add(packet.extracting(transportOffset..<packet.byteCount))
        return sum.value == 0
    }

    func pseudoHeader(of packet: RawSpan, transportByteCount: Int) -> InternetChecksum {
        var sum = InternetChecksum()
        sum.add(isIPv4 ? packet.extracting(12..<20) : packet.extracting(8..<40))
        sum.add(UInt16((isTCP ? IPProtocol.tcp : .udp).rawValue))
        sum.add(UInt16(transportByteCount))
        return sum
    }

    /// Whether `next` is of the same flow as this one, and all that a merged packet has only once is
    /// the same in both. `distance` is how many packets lie between them, plus one.
    @inline(__always)
    func agrees(
        _ packet: RawSpan, with next: MergeCandidate, _ nextPacket: RawSpan, distance: Int
    ) -> Bool {
        guard isIPv4 == next.isIPv4, isTCP == next.isTCP,
            headerByteCount == next.headerByteCount,
            isIPv4
                ? agreesIPv4(packet, with: nextPacket, distance: distance)
                : agreesIPv6(packet, with: nextPacket)
        else { return false }
        let start = transportOffset
        guard word(packet, start) == word(nextPacket, start) else { return false }
        guard isTCP else { return true }
        // Acknowledgement, window, options.
        guard word(packet, start + 8) == word(nextPacket, start + 8),
            packet.bigEndian(at: start + 14, as: UInt16.self)
                == nextPacket.bigEndian(at: start + 14, as: UInt16.self)
        else { return false }
        var offset = start + TCPView.headerByteCount
        while offset < headerByteCount {
            guard word(packet, offset) == word(nextPacket, offset) else { return false }
            offset += 4
        }
        return true
    }

    @inline(__always)
    private func agreesIPv4(_ packet: RawSpan, with next: RawSpan, distance: Int) -> Bool {
        guard packet.littleEndian(at: 12, as: UInt64.self) == next.littleEndian(at: 12),
            // Version, header length, traffic class with ECN.
            packet.littleEndian(at: 0, as: UInt16.self) == next.littleEndian(at: 0),
            // Flags; time to live and protocol.
            word(packet, 6) == word(next, 6)
        else { return false }
        // Where fragmenting is forbidden an identification means nothing (RFC 6864); otherwise the
        // pieces get consecutive ones when they are cut apart again.
        if packet.byte(at: 6) & 0x40 != 0 { return true }
        return packet.bigEndian(at: 4, as: UInt16.self) &+ UInt16(truncatingIfNeeded: distance)
            == next.bigEndian(at: 4, as: UInt16.self)
    }

    @inline(__always)
    private func agreesIPv6(_ packet: RawSpan, with next: RawSpan) -> Bool {
        // Version, traffic class, flow label; next header and hop limit; addresses.
        word(packet, 0) == word(next, 0)
            && packet.littleEndian(at: 6, as: UInt16.self)
                == next.littleEndian(at: 6, as: UInt16.self)
            && packet.littleEndian(at: 8, as: UInt64.self) == next.littleEndian(at: 8)
            && packet.littleEndian(at: 16, as: UInt64.self) == next.littleEndian(at: 16)
            && packet.littleEndian(at: 24, as: UInt64.self) == next.littleEndian(at: 24)
            && packet.littleEndian(at: 32, as: UInt64.self) == next.littleEndian(at: 32)
    }

    @inline(__always)
    private func word(_ packet: RawSpan, _ offset: Int) -> UInt32 {
        packet.littleEndian(at: offset)
    }
}
