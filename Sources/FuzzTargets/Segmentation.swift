import IPPacket
import NetTypes
import Segmentation

let segmentationFuzzTargets: [FuzzTarget] = [
    // An offload header and the packet behind it.
    FuzzTarget(name: "offload-split") { bytes in
        guard bytes.byteCount >= OffloadHeader.byteCount else { return }
        let header = OffloadHeader(bytes)
        let packet = bytes.extracting(OffloadHeader.byteCount..<bytes.byteCount)
        guard let splitter = try? Splitter(header, packet: packet) else { return }
        var memory = [UInt8](repeating: 0, count: splitter.segmentByteCountMax)
        var span = memory.mutableSpan
        var target = span.mutableBytes
        for segment in 0..<splitter.segmentCount {
            let count = splitter.write(segment, of: packet, to: &target, at: 0)
            precondition(count == splitter.byteCount(of: segment), "the length that was announced")
            guard header.rawKind != OffloadHeader.Kind.none.rawValue else { return }
            let parsed = try? ParsedPacket(target.bytes.extracting(0..<count))
            precondition(parsed?.byteCount == count, "each segment is a packet of its own")
        }
    },
    // Packets, each behind its length in two bytes.
    FuzzTarget(name: "coalesce") { bytes in
        var coalescer = Coalescer(capacity: 64, kinds: [.tcp, .udp])
        var start = 0
        var byteCount = 0
        while !coalescer.isFull, start + 2 <= bytes.byteCount {
            let count = Int(bytes.bigEndian(at: start, as: UInt16.self))
            start += 2
            guard count <= bytes.byteCount - start else { break }
            coalescer.add(start..<start + count, of: bytes)
            start += count
            byteCount += count
        }
        checkGroups(coalescer, of: bytes, byteCount: byteCount)
    },
]

/// No packet may be lost, and the kernel must be able to cut apart again what was merged.
private func checkGroups(_ coalescer: borrowing Coalescer, of memory: RawSpan, byteCount: Int) {
    var packets = 0
    for index in 0..<coalescer.groupCount {
        var bytes = [UInt8](repeating: 0, count: 200)
        var span = bytes.mutableSpan
        var target = span.mutableBytes
        let headerByteCount = coalescer.writeHeaders(of: index, from: memory, to: &target)
        let header = OffloadHeader(target.bytes)
        var packet = target.bytes.extracting(OffloadHeader.byteCount..<headerByteCount).array
        coalescer.forEachPiece(of: index) { packet += memory.extracting($0).array }
        let count = coalescer.group(at: index).count
        packets += count
        guard count > 1 else { continue }
        let splitter = try? Splitter(header, packet: packet.span.bytes)
        precondition(splitter?.segmentCount == count, "a group comes apart into what was merged")
    }
    precondition(packets == coalescer.count, "every packet is in a group")
}
