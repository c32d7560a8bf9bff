internal import DERP
internal import NIOCore
internal import NetTypes
internal import RelayCore

/// One end of a relay's connections: a client, or another relay. Confined to its event loop.
protocol RelayEndpoint: AnyObject {
    /// There is something to write.
    func drain()
    /// Writes what can be written at once and closes.
    func finish()
    func close(_ reason: String)
}

/// Writes what the core has for one connection until its socket is full. Confined to the event
/// loop of the channel.
final class RelayOutput {
    /// Bytes handed to the socket by one write. The socket's own unsent bytes are bounded too, so
    /// that what waits waits in the core, where it is ordered and shed.
    private static let writeByteCount = 64 << 10
    private static let turnsMax = 16

    private let server: RelayServer
    private let id: ConnectionID
    private let channel: any Channel
    private var isDraining = false
    private var isBlocked = false
    private var transmits: [RelayTransmit<ByteBuffer>] = []

    init(_ id: ConnectionID, of server: RelayServer, to channel: any Channel) {
        self.id = id
        self.server = server
        self.channel = channel
    }

    func drain() {
        guard !isDraining else { return }
        isDraining = true
        defer { isDraining = false }
        // Each turn writes at most 64 KiB and the queues are bounded; another sender could refill
        // them for ever, so the turns are too.
        var turns = 0
        while channel.isWritable, turns < Self.turnsMax {
            turns += 1
            server.poll(id, into: &transmits, byteCountMax: Self.writeByteCount)
            if transmits.isEmpty { break }
            channel.writeAndFlush(serialize(), promise: nil)
        }
        if !channel.isWritable {
            isBlocked = true
            server.noteBlocked(id)
        } else {
            if isBlocked { server.noteProgress(id) }
            isBlocked = false
            if turns == Self.turnsMax {
                let bound = NIOLoopBound(self, eventLoop: channel.eventLoop)
                channel.eventLoop.execute { bound.value.drain() }
            }
        }
    }

    /// Packets are copied into one buffer: a copy of a packet costs less than an entry of a
    /// vectored write.
    private func serialize() -> ByteBuffer {
        var byteCount = 0
        for transmit in transmits {
            switch transmit {
            case .message: break
            case .packet(_, let payload):
                byteCount += DERPSizes.header + DERPSizes.key + payload.readableBytes
            case .forward(_, _, let payload):
                byteCount += DERPSizes.header + 2 * DERPSizes.key + payload.readableBytes
            }
        }
        var output = channel.allocator.buffer(capacity: byteCount + 64)
        for transmit in transmits {
            switch transmit {
            case .message(let message): output.writeBytes(message.frame)
            case .packet(let source, let payload):
                output.writeMultipleIntegers(
                    FrameType.receivePacket.rawValue,
                    UInt32(DERPSizes.key + payload.readableBytes))
                source.bytes.withBytes { _ = output.writeBytes($0) }
                output.writeImmutableBuffer(payload)
            case .forward(let source, let destination, let payload):
                output.writeMultipleIntegers(
                    FrameType.forwardPacket.rawValue,
                    UInt32(2 * DERPSizes.key + payload.readableBytes))
                source.bytes.withBytes { _ = output.writeBytes($0) }
                destination.bytes.withBytes { _ = output.writeBytes($0) }
                output.writeImmutableBuffer(payload)
            }
        }
        transmits.removeAll(keepingCapacity: true)
        return output
    }
}
