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
    /// What this end sends has room again.
    func resume()
}

/// Writes what the core has for one connection until its socket is full. Confined to the event
/// loop of the channel.
final class RelayOutput {
    /// Bytes handed to the socket by one write. The socket's own unsent bytes are bounded too, so
    /// that what waits waits in the core, where it is ordered and shed.
    private static let writeByteCount = 64 << 10
    private static let turnsMax = 4
    /// Up to which size copying into one buffer costs less than an entry of a vectored write.
    private static let copyByteCountMax = 2 << 10

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
        // Each turn writes at most 64 KiB; other connections of the loop want theirs too.
        var turns = 0
        while channel.isWritable, turns < Self.turnsMax {
            turns += 1
            server.poll(id, into: &transmits, byteCountMax: Self.writeByteCount)
            if transmits.isEmpty { break }
            write()
            channel.flush()
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

    private func write() {
        var gathered = channel.allocator.buffer(capacity: 0)
        for transmit in transmits {
            switch transmit {
            case .message(let message): gathered.writeBytes(message.frame)
            case .forward(_, let destination, let frames):
                Self.appendForwarded(frames, to: destination, &gathered)
            case .packet(_, let frames) where frames.readableBytes <= Self.copyByteCountMax:
                gathered.writeImmutableBuffer(frames)
            case .packet(_, let frames):
                if gathered.readableBytes > 0 {
                    channel.write(gathered, promise: nil)
                    gathered = channel.allocator.buffer(capacity: 0)
                }
                channel.write(frames, promise: nil)
            }
        }
        transmits.removeAll(keepingCapacity: true)
        if gathered.readableBytes > 0 { channel.write(gathered, promise: nil) }
    }

    /// Another relay of the region is told the receiver of each packet too.
    private static func appendForwarded(
        _ frames: ByteBuffer, to destination: NodeKey, _ output: inout ByteBuffer
    ) {
        var frames = frames
        while frames.readInteger(as: UInt8.self) != nil,
            let byteCount = frames.readInteger(as: UInt32.self),
            let source = frames.readSlice(length: DERPSizes.key),
            let packet = frames.readSlice(length: Int(byteCount) - DERPSizes.key)
        {
            output.writeMultipleIntegers(
                FrameType.forwardPacket.rawValue, byteCount + UInt32(DERPSizes.key))
            output.writeImmutableBuffer(source)
            destination.bytes.withBytes { _ = output.writeBytes($0) }
            output.writeImmutableBuffer(packet)
        }
    }
}
