internal import DERP
internal import NIOCore
internal import NetTypes

/// Packets of one read that go to the same receiver, as the frames it will be sent: they are copied
/// once, and routed, queued and written together.
struct InboundRun {
    let destination: NodeKey
    /// Who sent them, when another relay of the region hands them on.
    let forwardedFrom: NodeKey?
    let isDisco: Bool
    /// `ReceivePacket` frames.
    fileprivate(set) var frames: ByteBuffer
    /// Of the packets alone.
    fileprivate(set) var byteCount = 0
    fileprivate(set) var packetCount = 0
}

/// Gathers the packets of one read. Those to one receiver keep their order.
struct InboundRuns {
    /// Small enough that a turn of one sender does not keep others waiting.
    private static let runByteCountMax = 16 << 10
    /// How many receivers of packets that alternate are told apart.
    private static let openMax = 8

    private(set) var runs: [InboundRun] = []

    var isEmpty: Bool { runs.isEmpty }

    /// `remaining` is how many bytes of the read follow, at most which may belong to the same run.
    mutating func append(
        _ packet: RawSpan, from source: NodeKey, to destination: NodeKey, isForwarded: Bool,
        remaining: Int
    ) {
        let isDisco = looksLikeDisco(packet)
        let byteCount = DERPSizes.header + DERPSizes.key + packet.byteCount
        let forwardedFrom = isForwarded ? source : nil
        let open = openRun(destination, forwardedFrom, isDisco: isDisco, adding: byteCount)
        let index = open ?? runs.count
        if open == nil {
            let capacity = max(byteCount, min(Self.runByteCountMax, byteCount + remaining))
            runs.append(
                InboundRun(
                    destination: destination, forwardedFrom: forwardedFrom, isDisco: isDisco,
                    frames: ByteBufferAllocator().buffer(capacity: capacity)))
        }
        runs[index].frames.writeMultipleIntegers(
            FrameType.receivePacket.rawValue, UInt32(DERPSizes.key + packet.byteCount))
        source.bytes.withBytes { _ = runs[index].frames.writeBytes($0) }
        runs[index].frames.writeBytes(packet)
        runs[index].byteCount += packet.byteCount
        runs[index].packetCount += 1
    }

    /// The last run for the receiver, if that takes one more.
    private func openRun(
        _ destination: NodeKey, _ source: NodeKey?, isDisco: Bool, adding byteCount: Int
    ) -> Int? {
        for index in runs.indices.reversed().prefix(Self.openMax)
        where runs[index].destination == destination && runs[index].isDisco == isDisco
            && runs[index].forwardedFrom == source
        {
            return runs[index].frames.readableBytes + byteCount <= Self.runByteCountMax
                ? index : nil
        }
        return nil
    }

    /// What was gathered. A run that turned out short does not keep memory that it does not use.
    mutating func take() -> [InboundRun] {
        for index in runs.indices {
            let frames = runs[index].frames
            if frames.storageCapacity > 2 * frames.readableBytes + 512 {
                runs[index].frames = ByteBuffer(buffer: frames)
            }
        }
        defer { runs.removeAll(keepingCapacity: runs.count <= 64) }
        return runs
    }
}
