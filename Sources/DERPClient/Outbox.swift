internal import DERP
internal import NIOCore
internal import NetTypes

/// Frames that wait for one region's connection, as chunks that are ready to be written.
///
/// Bounded in bytes: the oldest chunk is dropped for the newest packet. Disco messages have their
/// own chunks, which go first.
struct Outbox {
    private struct Chunk {
        var bytes: ByteBuffer
        var packetCount: Int
        var begunAt: MonotonicInstant
    }

    /// Large enough to make the cost of a write small, small enough to drop as a whole.
    private static let chunkByteCount = 32 << 10

    private var data: [Chunk] = []
    private var disco: [Chunk] = []
    private var dataByteCount = 0
    private var discoByteCount = 0
    /// The owner of the connection has been told that there is something to write.
    var isAnnounced = false

    var isEmpty: Bool { data.isEmpty && disco.isEmpty }

    /// Appends a `SendPacket` frame; returns how many packets were dropped for it.
    mutating func append(
        _ packet: RawSpan, to peer: NodeKey, bytesMax: Int, at now: MonotonicInstant
    ) -> Int {
        let frameByteCount = DERPSizes.header + DERPSizes.key + packet.byteCount
        if looksLikeDisco(packet) {
            discoByteCount += frameByteCount
            Self.append(packet, to: peer, in: &disco, at: now)
            return Self.shorten(&disco, &discoByteCount, bytesMax: bytesMax / 4)
        }
        dataByteCount += frameByteCount
        Self.append(packet, to: peer, in: &data, at: now)
        return Self.shorten(&data, &dataByteCount, bytesMax: bytesMax)
    }

    private static func append(
        _ packet: RawSpan, to peer: NodeKey, in chunks: inout [Chunk], at now: MonotonicInstant
    ) {
        let frameByteCount = DERPSizes.header + DERPSizes.key + packet.byteCount
        if chunks.last.map({ $0.bytes.readableBytes + frameByteCount > chunkByteCount }) ?? true {
            // After a full chunk more are likely.
            let capacity = chunks.isEmpty ? 2 << 10 : chunkByteCount
            let bytes = ByteBufferAllocator().buffer(capacity: max(capacity, frameByteCount))
            chunks.append(Chunk(bytes: bytes, packetCount: 0, begunAt: now))
        }
        let last = chunks.count - 1
        chunks[last].packetCount += 1
        chunks[last].bytes.writeMultipleIntegers(
            FrameType.sendPacket.rawValue, UInt32(DERPSizes.key + packet.byteCount))
        peer.bytes.withBytes { _ = chunks[last].bytes.writeBytes($0) }
        chunks[last].bytes.writeBytes(packet)
    }

    /// Drops the oldest chunks down to the bound, but never the one just written to.
    private static func shorten(
        _ chunks: inout [Chunk], _ byteCount: inout Int, bytesMax: Int
    ) -> Int {
        var dropped = 0
        while byteCount > bytesMax, chunks.count > 1 {
            let oldest = chunks.removeFirst()
            byteCount -= oldest.bytes.readableBytes
            dropped += oldest.packetCount
        }
        return dropped
    }

    /// The next chunk to write: disco first.
    mutating func popNext() -> ByteBuffer? {
        if !disco.isEmpty {
            let bytes = disco.removeFirst().bytes
            discoByteCount -= bytes.readableBytes
            return bytes
        }
        guard !data.isEmpty else { return nil }
        let bytes = data.removeFirst().bytes
        dataByteCount -= bytes.readableBytes
        return bytes
    }

    /// Drops chunks begun before `start`; returns how many packets that were.
    mutating func dropBegun(before start: MonotonicInstant) -> Int {
        var dropped = 0
        while let first = data.first, first.begunAt < start {
            dataByteCount -= first.bytes.readableBytes
            dropped += data.removeFirst().packetCount
        }
        while let first = disco.first, first.begunAt < start {
            discoByteCount -= first.bytes.readableBytes
            dropped += disco.removeFirst().packetCount
        }
        return dropped
    }
}
