import IPPacket
import NetTypes
import Segmentation

/// Xorshift: enough for tests, and the same everywhere.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }
    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }
}

extension [UInt8] {
    static func random(
        count: Int, using random: inout some RandomNumberGenerator
    ) -> Self {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    }
    mutating func store(_ value: UInt16, at offset: Int) {
        self[offset] = UInt8(value >> 8)
        self[offset + 1] = UInt8(value & 0xFF)
    }
    func word(at offset: Int) -> UInt16 { UInt16(self[offset]) << 8 | UInt16(self[offset + 1]) }
}

/// Where test packets go.
struct Flow {
    var source: Endpoint
    var destination: Endpoint

    static var v4: Self {
        Self(
            source: Endpoint(.v4(IPv4Address(100, 64, 0, 1)), port: 40_000),
            destination: Endpoint(.v4(IPv4Address(100, 64, 0, 2)), port: 5201))
    }
    static var v6: Self {
        Self(
            source: Endpoint(.v6(IPv6Address(high: 0xFD7A << 48, low: 1)), port: 40_000),
            destination: Endpoint(.v6(IPv6Address(high: 0xFD7A << 48, low: 2)), port: 5201))
    }
    var headerOffset: Int { source.address.isIPv4 ? 20 : 40 }

    func tcp(
        _ payload: [UInt8], sequence: UInt32 = 1, flags: TCPFlags = [.ack], options: [UInt8] = []
    ) -> [UInt8] {
        var packet = PacketBuilder.tcp(
            from: source, to: destination, flags: flags, sequence: sequence, acknowledgement: 77,
            window: 512, payload: options + payload)
        packet[headerOffset + 12] = UInt8((20 + options.count) / 4) << 4
        repairChecksums(&packet)
        return packet
    }

    func udp(_ payload: [UInt8]) -> [UInt8] {
        PacketBuilder.udp(from: source, to: destination, payload: payload)
    }
}

/// Computes IPv4 header and transport checksum anew.
func repairChecksums(_ packet: inout [UInt8]) {
    let isIPv4 = packet[0] >> 4 == 4
    let start = isIPv4 ? Int(packet[0] & 15) * 4 : 40
    let number = packet[isIPv4 ? 9 : 6]
    if isIPv4 {
        packet.store(0, at: 10)
        packet.store(sum(packet[..<start]), at: 10)
    }
    let field = start + (number == 6 ? 16 : 6)
    packet.store(0, at: field)
    packet.store(transportSum(packet), at: field)
    if number == 17, packet.word(at: field) == 0 { packet.store(0xFFFF, at: field) }
}

/// Whether all checksums of a TCP or UDP packet are right, by plain arithmetic.
func isIntact(_ packet: [UInt8]) -> Bool {
    let isIPv4 = packet[0] >> 4 == 4
    let start = isIPv4 ? Int(packet[0] & 15) * 4 : 40
    return (!isIPv4 || sum(packet[..<start]) == 0) && transportSum(packet) == 0
}

private func transportSum(_ packet: [UInt8]) -> UInt16 {
    let isIPv4 = packet[0] >> 4 == 4
    let start = isIPv4 ? Int(packet[0] & 15) * 4 : 40
    var pseudo = Array(isIPv4 ? packet[12..<20] : packet[8..<40])
    pseudo += [0, packet[isIPv4 ? 9 : 6]]
    let count = packet.count - start
    pseudo += [UInt8(count >> 8), UInt8(count & 0xFF)]
    return sum((pseudo + packet[start...])[...])
}

/// RFC 1071 word by word.
private func sum(_ bytes: ArraySlice<UInt8>) -> UInt16 {
    var sum: UInt32 = 0
    for (index, byte) in bytes.enumerated() {
        sum += index.isMultiple(of: 2) ? UInt32(byte) << 8 : UInt32(byte)
        sum = (sum & 0xFFFF) + (sum >> 16)
    }
    return ~UInt16(sum)
}

/// A super-packet as the kernel hands it over: lengths of the whole, in the transport checksum the sum
/// of the pseudo-header.
func makeSuper(_ packet: [UInt8], segment: Int) -> (header: OffloadHeader, packet: [UInt8]) {
    let isIPv4 = packet[0] >> 4 == 4
    let isTCP = packet[isIPv4 ? 9 : 6] == 6
    let start = isIPv4 ? 20 : 40
    var packet = packet
    let field = start + (isTCP ? 16 : 6)
    // What a sender leaves there is not used.
    packet.store(0xABCD, at: field)
    var header = OffloadHeader()
    header.needsChecksum = true
    header.rawKind = (isTCP ? (isIPv4 ? OffloadHeader.Kind.tcp4 : .tcp6) : .udp).rawValue
    header.headerByteCount = 1
    header.segmentByteCount = UInt16(segment)
    header.checksumStart = UInt16(start)
    header.checksumOffset = isTCP ? 16 : 6
    return (header, packet)
}

func split(_ header: OffloadHeader, _ packet: [UInt8]) throws(Splitter.Failure) -> [[UInt8]] {
    let splitter = try Splitter(header, packet: packet.span.bytes)
    return (0..<splitter.segmentCount).map { segment in
        var target = [UInt8](repeating: 0xEE, count: 66_000)
        var span = target.mutableSpan
        var bytes = span.mutableBytes
        let count = splitter.write(segment, of: packet.span.bytes, to: &bytes, at: 3)
        return Array(target[3..<3 + count])
    }
}

/// What the host would get: for each group its offload header and its packet.
func coalesce(
    _ packets: [[UInt8]], kinds: Coalescer.Kinds = [.tcp, .udp]
) -> [(header: OffloadHeader, packet: [UInt8])] {
    var coalescer = Coalescer(capacity: max(1, packets.count), kinds: kinds)
    var memory: [UInt8] = []
    for packet in packets { memory += [0xEE] + packet }
    var start = 0
    for packet in packets {
        coalescer.add(start + 1..<start + 1 + packet.count, of: memory.span.bytes)
        start += 1 + packet.count
    }
    var result: [(header: OffloadHeader, packet: [UInt8])] = []
    for index in 0..<coalescer.groupCount {
        var headers = [UInt8](repeating: 0, count: 200)
        var span = headers.mutableSpan
        var bytes = span.mutableBytes
        let count = coalescer.writeHeaders(of: index, from: memory.span.bytes, to: &bytes)
        var packet = Array(headers[OffloadHeader.byteCount..<count])
        coalescer.forEachPiece(of: index) { packet += memory[$0] }
        result.append((OffloadHeader(headers.span.bytes), packet))
    }
    return result
}
