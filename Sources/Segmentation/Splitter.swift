package import IPPacket
internal import NetTypes

/// Cuts a packet that the host left unfinished into the packets that belong on the wire: a super-packet
/// of up to 64 KiB into segments, or one packet whose checksum is not computed yet into itself.
///
/// Nothing but the kind, the segment size and where the checksum belongs is taken from the offload
/// header; all lengths are read from the packet itself and checked against each other.
package struct Splitter: Equatable, Sendable, BitwiseCopyable {
    package enum Failure: Error, Equatable, Sendable {
        case packet(IPPacketError)
        /// A kind that was not asked for.
        case unknownKind(UInt8)
        /// The kind speaks of another IP version or transport than the packet.
        case kindMismatch
        /// A fragment cannot be cut.
        case fragment
        /// The transport header does not begin where the offload header says.
        case badChecksumStart
        /// The checksum field is not within the packet.
        case badChecksumOffset
        case noSegmentSize
        case tooManySegments(Int)
    }

    /// A limit: 64 KiB in the smallest segments that Linux makes, of 48 bytes, are fewer.
    package static var segmentCountMax: Int { 2048 }

    package let segmentCount: Int
    /// Bytes of all headers, which each segment repeats. 0 for a packet that is not cut.
    private let headerByteCount: Int
    private let segmentPayload: Int
    private let packetByteCount: Int
    private let transportOffset: Int
    private let isIPv4: Bool
    private let isTCP: Bool
    /// Where a checksum is to be completed in a packet that is not cut; 0 for nowhere.
    private let checksumField: Int
    /// Sums over what all segments have in common.
    private let headerSum: InternetChecksum
    private let transportSum: InternetChecksum

    /// Checks `packet` against its offload header.
    package init(_ header: OffloadHeader, packet: RawSpan) throws(Failure) {
        guard let kind = OffloadHeader.Kind(rawValue: header.rawKind) else {
            throw .unknownKind(header.rawKind)
        }
        if kind == .none {
            try self.init(whole: header, packet: packet)
        } else {
            try self.init(kind, header, packet: packet)
        }
    }

    private init(whole header: OffloadHeader, packet: RawSpan) throws(Failure) {
        var field = 0
        if header.needsChecksum {
            field = Int(header.checksumStart) + Int(header.checksumOffset)
            guard header.checksumStart >= 20, field + 2 <= packet.byteCount else {
                throw .badChecksumOffset
            }
        }
        checksumField = field
        segmentCount = 1
        headerByteCount = 0
        segmentPayload = packet.byteCount
        packetByteCount = packet.byteCount
        transportOffset = Int(header.checksumStart)
        isIPv4 = false
        isTCP = false
        headerSum = InternetChecksum()
        transportSum = InternetChecksum()
    }

    private init(
        _ kind: OffloadHeader.Kind, _ header: OffloadHeader, packet: RawSpan
    ) throws(Failure) {
        let number: IPProtocol
        var isFragment = false
        var common = InternetChecksum()
        var pseudo = InternetChecksum()
        do throws(IPPacketError) {
            if packet.byteCount > 0, packet.byte(at: 0) >> 4 == 6 {
                let view = try IPv6View(packet)
                guard view.totalByteCount == packet.byteCount else {
                    throw .badTotalLength(view.totalByteCount)
                }
                isIPv4 = false
                (number, transportOffset) = try Self.transport(of: packet, behind: view.nextHeader)
                pseudo.add(packet.extracting(8..<40))
            } else {
                let view = try IPv4View(packet)
                guard view.totalByteCount == packet.byteCount else {
                    throw .badTotalLength(view.totalByteCount)
                }
                isIPv4 = true
                number = view.protocol
                transportOffset = view.headerByteCount
                isFragment = view.moreFragments || view.fragmentOffset != 0
                // Without total length, identification and checksum.
                common.add(packet.extracting(0..<2))
                common.add(packet.extracting(6..<10))
                common.add(packet.extracting(12..<transportOffset))
                pseudo.add(packet.extracting(12..<20))
            }
            isTCP = number == .tcp
            let transport = packet.extracting(transportOffset..<packet.byteCount)
            if isTCP {
                headerByteCount = transportOffset + (try TCPView(transport)).headerByteCount
            } else {
                headerByteCount = transportOffset + UDPView.headerByteCount
                guard transport.byteCount >= UDPView.headerByteCount else {
                    throw .truncated(needed: headerByteCount, have: packet.byteCount)
                }
            }
        } catch {
            throw .packet(error)
        }
        guard !isFragment else { throw .fragment }
        switch kind {
        case .tcp4: guard isTCP, isIPv4 else { throw .kindMismatch }
        case .tcp6: guard isTCP, !isIPv4 else { throw .kindMismatch }
        case .udp: guard number == .udp else { throw .kindMismatch }
        case .none: throw .kindMismatch
        }
        guard Int(header.checksumStart) == transportOffset else { throw .badChecksumStart }
        guard header.segmentByteCount > 0 else { throw .noSegmentSize }
        segmentPayload = Int(header.segmentByteCount)
        packetByteCount = packet.byteCount
        let payload = packetByteCount - headerByteCount
        let count = max(1, (payload + segmentPayload - 1) / segmentPayload)
        guard count <= Self.segmentCountMax else { throw .tooManySegments(count) }
        segmentCount = count
        checksumField = 0
        headerSum = common
        pseudo.add(UInt16(number.rawValue))
        // The ports, and of TCP all but sequence number, flags and checksum.
        pseudo.add(packet.extracting(transportOffset..<transportOffset + 4))
        if isTCP {
            pseudo.add(packet.extracting(transportOffset + 8..<transportOffset + 12))
            pseudo.add(packet.extracting(transportOffset + 14..<transportOffset + 16))
            pseudo.add(packet.extracting(transportOffset + 18..<headerByteCount))
        }
        transportSum = pseudo
    }

    /// Skips the extension headers of IPv6 that each segment repeats as they are. A routing header is none
    /// of them: with it the checksum speaks of another destination than the packet.
    private static func transport(
        of packet: RawSpan, behind first: IPProtocol
    ) throws(IPPacketError) -> (IPProtocol, offset: Int) {
        var number = first
        var offset = IPv6View.headerByteCount
        while number == .hopByHopOptions || number == .destinationOptions {
            guard offset + 8 <= packet.byteCount else {
                throw .truncated(needed: offset + 8, have: packet.byteCount)
            }
            number = IPProtocol(rawValue: packet.byte(at: offset))
            offset += (Int(packet.byte(at: offset + 1)) + 1) * 8
        }
        guard offset <= packet.byteCount else {
            throw .truncated(needed: offset, have: packet.byteCount)
        }
        return (number, offset)
    }

    /// Of the largest segment, its headers included.
    package var segmentByteCountMax: Int { byteCount(of: 0) }

    /// Of a segment, its headers included.
    package func byteCount(of segment: Int) -> Int {
        headerByteCount + payload(of: segment).count
    }

    private func payload(of segment: Int) -> Range<Int> {
        precondition(segment >= 0 && segment < segmentCount, "no such segment")
        let start = headerByteCount + segment * segmentPayload
        return start..<min(packetByteCount, start + segmentPayload)
    }

    /// Writes a segment of `packet`, which must be the one this was made for, to `target` at `offset`.
    /// Returns how long it is.
    package func write(
        _ segment: Int, of packet: RawSpan, to target: inout MutableRawSpan, at offset: Int
    ) -> Int {
        precondition(packet.byteCount == packetByteCount, "another packet")
        let range = payload(of: segment)
        let payload = packet.extracting(range)
        guard headerByteCount > 0 else {
            target.copy(payload, at: offset)
            if checksumField > 0 { completeChecksum(of: packet, &target, at: offset) }
            return range.count
        }
        target.copy(packet.extracting(0..<headerByteCount), at: offset)
        target.copy(payload, at: offset + headerByteCount)
        let count = headerByteCount + range.count
        if isIPv4 {
            writeIPv4(segment, of: packet, count, &target, at: offset)
        } else {
            target.storeBigEndian(UInt16(count - IPv6View.headerByteCount), at: offset + 4)
        }
        var sum = transportSum
        let transportCount = UInt16(count - transportOffset)
        sum.add(transportCount)
        sum.add(payload)
        let start = offset + transportOffset
        if isTCP {
            writeTCP(segment, of: packet, &sum, &target, at: start)
        } else {
            target.storeBigEndian(transportCount, at: start + 4)
            sum.add(transportCount)
            let value = sum.value
            // 0 would say that there is none (RFC 768).
            target.storeBigEndian(value == 0 ? 0xFFFF : value, at: start + 6)
        }
        return count
    }

    private func writeIPv4(
        _ segment: Int, of packet: RawSpan, _ count: Int, _ target: inout MutableRawSpan,
        at offset: Int
    ) {
        let identification =
            packet.bigEndian(at: 4, as: UInt16.self) &+ UInt16(truncatingIfNeeded: segment)
        var sum = headerSum
        sum.add(UInt16(count))
        sum.add(identification)
        target.storeBigEndian(UInt16(count), at: offset + 2)
        target.storeBigEndian(identification, at: offset + 4)
        target.storeBigEndian(sum.value, at: offset + 10)
    }

    private func writeTCP(
        _ segment: Int, of packet: RawSpan, _ sum: inout InternetChecksum,
        _ target: inout MutableRawSpan, at start: Int
    ) {
        let sequence =
            packet.bigEndian(at: transportOffset + 4, as: UInt32.self)
            &+ UInt32(truncatingIfNeeded: segment * segmentPayload)
        var offsetAndFlags: UInt16 = packet.bigEndian(at: transportOffset + 12)
        // What ends something or asks for haste belongs to the last segment, and that the window was
        // reduced to the first.
        if segment < segmentCount - 1 {
            offsetAndFlags &= ~UInt16((TCPFlags.fin.rawValue | TCPFlags.psh.rawValue))
        }
        if segment > 0 { offsetAndFlags &= ~UInt16(TCPFlags.cwr.rawValue) }
        sum.add(sequence)
        sum.add(offsetAndFlags)
        target.storeBigEndian(sequence, at: start + 4)
        target.storeBigEndian(offsetAndFlags, at: start + 12)
        target.storeBigEndian(sum.value, at: start + 16)
    }

    /// The field holds the sum of the pseudo-header: with it, the sum over the transport part is the
    /// whole one.
    private func completeChecksum(
        of packet: RawSpan, _ target: inout MutableRawSpan, at offset: Int
    ) {
        var sum = InternetChecksum()
        sum.add(packet.extracting(transportOffset..<packetByteCount))
        let value = sum.value
        target.storeBigEndian(value == 0 ? 0xFFFF : value, at: offset + checksumField)
    }
}
