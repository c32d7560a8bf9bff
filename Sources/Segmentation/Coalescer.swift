internal import IPPacket
internal import NetTypes

/// Merges packets that peers sent one by one into super-packets that the host takes in at once: what
/// the receive offload of a network card does (data protocol §2.1, "Write side").
///
/// Packets lie anywhere in one piece of memory and stay as they are. `add` puts each into a group; a
/// group is one packet for the host: the headers of its first packet, changed by `writeHeaders`, and
/// the payloads of all. Two packets are merged only when cutting the group apart again gives the same
/// packets, and after the checksums of both were found right: otherwise a damaged packet would get a
/// fresh valid one. Packets of a flow keep their order.
///
/// Nothing is allocated after the start.
package struct Coalescer: ~Copyable {
    /// What of the host's kernel takes super-packets.
    package struct Kinds: OptionSet, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }
        package static let tcp = Self(rawValue: 1)
        package static let udp = Self(rawValue: 2)
    }

    /// One packet for the host.
    package struct Group: Sendable, BitwiseCopyable {
        /// Packets in it.
        package fileprivate(set) var count: Int
        /// All their payload.
        package fileprivate(set) var payloadByteCount: Int
        /// Of the first packet, which says how long the others are, except that the last may be shorter.
        package fileprivate(set) var segmentByteCount: Int
        fileprivate var first: Int
        fileprivate var last: Int
        fileprivate var candidate: MergeCandidate
        fileprivate var isVerified: Bool
        fileprivate var isClosed: Bool
        fileprivate var hasPush: Bool
    }

    private struct Item: BitwiseCopyable {
        /// Where the packet lies in memory.
        var start: Int32 = 0
        var headerByteCount: Int32 = 0
        var payloadByteCount: Int32 = 0
        /// The packet that follows in its group; -1 after the last.
        var next: Int32 = -1
    }

    package static var groupByteCountMax: Int { 65_535 }
    /// The kernel cuts datagrams into no more at once.
    package static var datagramsMax: Int { 64 }
    /// Of the longest headers: IP, TCP with options.
    package static var headerByteCountMax: Int { 40 + 60 }
    /// Flows that are told apart at once; a further one ends the group of another.
    private static var flowCount: Int { 64 }

    package let capacity: Int
    package var kinds: Kinds
    package private(set) var count = 0
    package private(set) var groupCount = 0
    private var items: [Item]
    private var groups: [Group]
    /// By the hash of a flow, the number of its group that may grow; -1 without one.
    private var openGroups: [Int32]

    /// `capacity`: packets between one `removeAll` and the next.
    package init(capacity: Int, kinds: Kinds) {
        self.capacity = capacity
        self.kinds = kinds
        items = Array(repeating: Item(), count: capacity)
        groups = []
        groups.reserveCapacity(capacity)
        openGroups = Array(repeating: -1, count: Self.flowCount)
    }

    package var isFull: Bool { count == capacity }

    package mutating func removeAll() {
        guard count > 0 else { return }
        count = 0
        groupCount = 0
        groups.removeAll(keepingCapacity: true)
        for index in openGroups.indices { openGroups[index] = -1 }
    }

    /// Adds the IP packet at `range` of `memory`. The coalescer must not be full, and `memory` must be
    /// the same for all packets until `removeAll`.
    package mutating func add(_ range: Range<Int>, of memory: RawSpan) {
        precondition(!isFull, "the coalescer is full")
        let packet = memory.extracting(range)
        let candidate = MergeCandidate(packet)
        let number = count
        count += 1
        items[number] = Item(
            start: Int32(range.lowerBound),
            headerByteCount: Int32(candidate?.headerByteCount ?? 0),
            payloadByteCount: Int32(candidate?.payloadByteCount ?? range.count))
        guard let candidate, kinds.contains(candidate.isTCP ? .tcp : .udp) else {
            return begin(with: number, nil, byteCount: range.count)
        }
        let place = Int(truncatingIfNeeded: candidate.flowHash) & (Self.flowCount - 1)
        let open = Int(openGroups[place])
        if open >= 0, merge(number, candidate, packet, into: open, of: memory) { return }
        // Whatever stands there is overtaken in its flow, or belongs to another flow that has to wait.
        openGroups[place] = candidate.isMergeable && !candidate.hasPush ? Int32(groupCount) : -1
        begin(with: number, candidate, byteCount: range.count)
    }

    private mutating func begin(with item: Int, _ candidate: MergeCandidate?, byteCount: Int) {
        groups.append(
            Group(
                count: 1, payloadByteCount: candidate?.payloadByteCount ?? byteCount,
                segmentByteCount: candidate?.payloadByteCount ?? byteCount, first: item,
                last: item, candidate: candidate ?? .none, isVerified: false,
                isClosed: false, hasPush: candidate?.hasPush ?? false))
        groupCount += 1
    }

    /// Appends a packet to a group if they belong together.
    private mutating func merge(
        _ item: Int, _ candidate: MergeCandidate, _ packet: RawSpan, into number: Int,
        of memory: RawSpan
    ) -> Bool {
        let group = groups[number]
        let base = group.candidate
        guard candidate.isMergeable, !group.isClosed,
            candidate.payloadByteCount <= group.segmentByteCount,
            base.headerByteCount + group.payloadByteCount + candidate.payloadByteCount
                <= Self.groupByteCountMax,
            base.isTCP
                ? base.sequence &+ UInt32(group.payloadByteCount) == candidate.sequence
                : group.count < Self.datagramsMax
        else { return false }
        let first = items[group.first]
        let firstPacket = memory.extracting(
            Int(first.start)..<Int(first.start + first.headerByteCount + first.payloadByteCount))
        guard base.agrees(firstPacket, with: candidate, packet, distance: group.count) else {
            return false
        }
        if !group.isVerified {
            guard base.isIntact(firstPacket) else {
                groups[number].isClosed = true
                return false
            }
            groups[number].isVerified = true
        }
        guard candidate.isIntact(packet) else { return false }
        items[group.last].next = Int32(item)
        groups[number].last = item
        groups[number].count += 1
        groups[number].payloadByteCount += candidate.payloadByteCount
        groups[number].hasPush = candidate.hasPush
        groups[number].isClosed =
            candidate.hasPush || candidate.payloadByteCount < group.segmentByteCount
        return true
    }

    // MARK: What comes out

    package func group(at index: Int) -> Group { groups[index] }

    /// The payload of each packet of a group in order, as ranges of the memory. Of a group of one packet
    /// the whole of it.
    @inline(__always)
    package func forEachPiece(of index: Int, _ body: (Range<Int>) -> Void) {
        let group = groups[index]
        if group.count == 1 {
            let item = items[group.first]
            let start = Int(item.start)
            return body(start..<start + Int(item.headerByteCount + item.payloadByteCount))
        }
        var number = group.first
        while number >= 0 {
            let item = items[number]
            let start = Int(item.start + item.headerByteCount)
            body(start..<start + Int(item.payloadByteCount))
            number = Int(item.next)
        }
    }

    /// Each packet of a group as it came, in order, as ranges of the memory.
    package func forEachPacket(of index: Int, _ body: (Range<Int>) -> Void) {
        var number = groups[index].first
        while number >= 0 {
            let item = items[number]
            let start = Int(item.start)
            body(start..<start + Int(item.headerByteCount + item.payloadByteCount))
            number = Int(item.next)
        }
    }

    /// Writes what goes before the pieces of a group: the offload header and, of a group of several
    /// packets, its IP and transport headers. Returns how many bytes these are, at most
    /// `OffloadHeader.byteCount + headerByteCountMax`.
    package func writeHeaders(
        of index: Int, from memory: RawSpan, to target: inout MutableRawSpan
    ) -> Int {
        let group = groups[index]
        var offload = OffloadHeader()
        guard group.count > 1 else {
            offload.write(to: &target)
            return OffloadHeader.byteCount
        }
        let base = group.candidate
        let kind: OffloadHeader.Kind = base.isTCP ? (base.isIPv4 ? .tcp4 : .tcp6) : .udp
        offload.needsChecksum = true
        offload.rawKind = kind.rawValue
        offload.headerByteCount = UInt16(base.headerByteCount)
        offload.segmentByteCount = UInt16(group.segmentByteCount)
        offload.checksumStart = UInt16(base.transportOffset)
        offload.checksumOffset = base.isTCP ? 16 : 6
        offload.write(to: &target)

        let start = Int(items[group.first].start)
        let headers = memory.extracting(start..<start + base.headerByteCount)
        let offset = OffloadHeader.byteCount
        target.copy(headers, at: offset)
        let total = base.headerByteCount + group.payloadByteCount
        if base.isIPv4 {
            target.storeBigEndian(UInt16(total), at: offset + 2)
            let old: UInt16 = headers.bigEndian(at: 10)
            target.storeBigEndian(
                InternetChecksum.updated(
                    old, from: headers.bigEndian(at: 2, as: UInt16.self), to: UInt16(total)),
                at: offset + 10)
        } else {
            target.storeBigEndian(UInt16(total - IPv6View.headerByteCount), at: offset + 4)
        }
        let transport = offset + base.transportOffset
        let transportByteCount = total - base.transportOffset
        if base.isTCP {
            if group.hasPush {
                let flags = headers.byte(at: base.transportOffset + 13) | TCPFlags.psh.rawValue
                target.storeBigEndian(flags, at: transport + 13)
            }
        } else {
            target.storeBigEndian(UInt16(transportByteCount), at: transport + 4)
        }
        let sum = base.pseudoHeader(of: headers, transportByteCount: transportByteCount)
        target.storeBigEndian(sum.partial, at: transport + Int(offload.checksumOffset))
        return offset + base.headerByteCount
    }
}

extension MergeCandidate {
    /// Of a packet that is none.
    fileprivate static var none: Self {
        Self(
            isIPv4: false, isTCP: false, isMergeable: false, hasPush: false, headerByteCount: 0,
            payloadByteCount: 0, sequence: 0, flowHash: 0)
    }

    private init(
        isIPv4: Bool, isTCP: Bool, isMergeable: Bool, hasPush: Bool, headerByteCount: Int,
        payloadByteCount: Int, sequence: UInt32, flowHash: UInt64
    ) {
        self.isIPv4 = isIPv4
        self.isTCP = isTCP
        self.isMergeable = isMergeable
        self.hasPush = hasPush
        self.headerByteCount = headerByteCount
        self.payloadByteCount = payloadByteCount
        self.sequence = sequence
        self.flowHash = flowHash
    }
}
