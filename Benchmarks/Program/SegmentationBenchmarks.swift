import IPPacket
import NetTypes
import Segmentation

/// Cutting a TCP super-packet into segments and merging segments into one, each counted by segment.
func segmentationBenchmarks() -> [Benchmark] { [splitting(), merging()] }

/// Of a stream through a tunnel with an MTU of 1,280.
private let segmentByteCount = 1_240
private let segmentsPerPacket = 32

private func segment(_ number: Int, count: Int = segmentByteCount) -> [UInt8] {
    PacketBuilder.tcp(
        from: Endpoint(Tunnel.nearAddress, port: 40_000),
        to: Endpoint(Tunnel.farAddress, port: 5201), flags: .ack,
        sequence: UInt32(number * segmentByteCount), acknowledgement: 77,
        payload: [UInt8](repeating: 7, count: count))
}

private func splitting() -> Benchmark {
    Benchmark("split/\(segmentByteCount)") { _ in
        let packet = segment(0, count: segmentsPerPacket * segmentByteCount)
        var header = OffloadHeader()
        header.needsChecksum = true
        header.rawKind = OffloadHeader.Kind.tcp4.rawValue
        header.segmentByteCount = UInt16(segmentByteCount)
        header.checksumStart = 20
        header.checksumOffset = 16
        let memory = PacketMemory(slots: 1)
        var splitter: Splitter?
        return { number in
            let part = number % segmentsPerPacket
            // The whole packet is looked at once.
            if part == 0 || splitter == nil {
                splitter = try! Splitter(header, packet: packet.span.bytes)
            }
            var target = MutableRawSpan(_unsafeBytes: memory[0])
            let count = splitter!.write(part, of: packet.span.bytes, to: &target, at: 0)
            precondition(count == segmentByteCount + 40, "another length")
        }
    }
}

private final class Merging {
    var coalescer = Coalescer(capacity: segmentsPerPacket, kinds: [.tcp, .udp])
    let packets: UnsafeMutableRawBufferPointer
    let byteCount = segmentByteCount + 40
    let headers: UnsafeMutableRawBufferPointer

    init() {
        packets = .allocate(byteCount: segmentsPerPacket * byteCount, alignment: 64)
        headers = .allocate(
            byteCount: OffloadHeader.byteCount + Coalescer.headerByteCountMax, alignment: 64)
        packets.copyBytes(from: (0..<segmentsPerPacket).flatMap { segment($0) })
    }

    func finish() {
        precondition(coalescer.groupCount == 1, "not merged")
        var bytes = MutableRawSpan(_unsafeBytes: headers)
        let count = coalescer.writeHeaders(of: 0, from: packets.bytes, to: &bytes)
        precondition(count == OffloadHeader.byteCount + 40, "another length")
        coalescer.removeAll()
    }
}

private func merging() -> Benchmark {
    Benchmark("coalesce/\(segmentByteCount)") { _ in
        let merging = Merging()
        return { number in
            if merging.coalescer.isFull { merging.finish() }
            let start = merging.coalescer.count * merging.byteCount
            merging.coalescer.add(
                start..<start + merging.byteCount, of: merging.packets.bytes)
        }
    }
}
