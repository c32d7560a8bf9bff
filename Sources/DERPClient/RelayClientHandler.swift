package import CryptoPrimitives
package import DERP
package import NIOCore
package import NetTypes

/// One connection to a relay, of a node or another relay: HTTP upgrade, login, then frames. Tells
/// its owner what happens.
package final class RelayClientHandler: ChannelInboundHandler {
    package typealias InboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    package enum Signal {
        /// With the key of the relay.
        case loggedIn(RelayKey)
        case packets(RelayPacketBatch)
        case message(ServerMessage)
        /// The socket takes more bytes.
        case writable
        /// `isRefused`: it was answered in HTTP, but not upgraded.
        case ended(reason: String, isRefused: Bool)
    }

    private enum Phase {
        /// DERP is to come at once, but who does not know that answers in HTTP.
        case startingFast
        case awaitingUpgrade(UpgradeResponseParser)
        case awaitingServerKey
        case awaitingServerInfo(RelayKey)
        case connected
        case ended
    }

    private let region: Int
    private let nodeKey: PrivateKey<NodeKind>
    private let request: UpgradeRequest?
    private let info: ClientInfo
    /// Known from an earlier connection: the login goes out with the request.
    private let relayKey: RelayKey?
    private let signal: (Signal) -> Void
    private var phase = Phase.awaitingUpgrade(UpgradeResponseParser())
    private var splitter = FrameSplitter(limits: .client)
    private var batch: RelayPacketBatch
    private var failure: String?
    private var isRefused = false

    /// Without a `request` the connection is upgraded already, or will be by a handler in front.
    package init(
        region: Int, nodeKey: PrivateKey<NodeKind>, request: UpgradeRequest?,
        info: ClientInfo = ClientInfo(), relayKey: RelayKey? = nil,
        signal: @escaping (Signal) -> Void
    ) {
        self.region = region
        self.nodeKey = nodeKey
        self.request = request
        self.info = info
        self.relayKey = relayKey
        if relayKey != nil { phase = .startingFast }
        if request == nil { phase = .awaitingServerKey }
        self.signal = signal
        batch = RelayPacketBatch(region: region, bytes: [], packets: [])
    }

    package func handlerAdded(context: ChannelHandlerContext) {
        guard var bytes = request?.bytes else { return }
        if let relayKey {
            do { bytes += try login(to: relayKey) } catch { return fail("\(error)", context) }
        }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: bytes)), promise: nil)
    }

    private func login(to relay: RelayKey) throws(FrameError) -> [UInt8] {
        var random = SecureRandom()
        return try info.frame(from: nodeKey, to: relay, random: &random)
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        var offset = 0
        do {
            if try readUpgrade(buffer, &offset) { try readFrames(buffer, &offset, context) }
        } catch {
            isRefused = error is UpgradeResponseParser.Failure
            fail("\(error)", context)
        }
        guard !batch.packets.isEmpty else { return }
        signal(.packets(batch))
        batch = RelayPacketBatch(region: region, bytes: [], packets: [])
    }

    package func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable, case .connected = phase { signal(.writable) }
        context.fireChannelWritabilityChanged()
    }

    package func channelInactive(context: ChannelHandlerContext) {
        end("the relay closed the connection")
        context.fireChannelInactive()
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail("\(error)", context)
    }

    package func handlerRemoved(context: ChannelHandlerContext) { end("closed") }

    // MARK: Reading

    /// True once the upgrade is done and DERP begins at `offset`.
    private func readUpgrade(
        _ buffer: ByteBuffer, _ offset: inout Int
    ) throws(UpgradeResponseParser.Failure) -> Bool {
        if case .startingFast = phase {
            guard let first = buffer.readableBytesView.first else { return false }
            phase =
                first == FrameType.serverKey.rawValue
                ? .awaitingServerKey : .awaitingUpgrade(UpgradeResponseParser())
        }
        guard case .awaitingUpgrade(var parser) = phase else { return true }
        guard try parser.read(buffer.readableBytesSpan, from: &offset) else {
            phase = .awaitingUpgrade(parser)
            return false
        }
        phase = .awaitingServerKey
        return true
    }

    private func readFrames(
        _ buffer: ByteBuffer, _ offset: inout Int, _ context: ChannelHandlerContext
    ) throws(FrameError) {
        while true {
            switch try splitter.next(in: buffer.readableBytesSpan, from: &offset) {
            case .needMore: return
            case .frame(let type, let range):
                try handle(type, buffer.readableBytesSpan.extracting(range), context)
                if type == .receivePacket, batch.packets.count == 1 {
                    batch.bytes.reserveCapacity(buffer.readableBytes)
                }
            case .assembled(let type):
                let payload = splitter.takeAssembled()
                try unsafe handle(type, payload.span.bytes, context)
            }
        }
    }

    private func handle(
        _ type: FrameType, _ payload: RawSpan, _ context: ChannelHandlerContext
    ) throws(FrameError) {
        switch phase {
        case .startingFast, .awaitingUpgrade, .ended: return
        case .awaitingServerKey:
            guard type == .serverKey else { throw .malformed(type) }
            let relay = try ServerKeyFrame.parse(payload)
            if relayKey == nil {
                let bytes = try login(to: relay)
                context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: bytes)), promise: nil)
            } else if relay != relayKey {
                throw .notAuthentic(.serverKey)
            }
            phase = .awaitingServerInfo(relay)
        case .awaitingServerInfo(let relay):
            guard type == .serverInfo else { throw .malformed(type) }
            _ = try ServerInfo.open(payload, from: relay, with: nodeKey)
            phase = .connected
            signal(.loggedIn(relay))
        case .connected:
            if type == .receivePacket {
                try append(payload)
            } else {
                signal(.message(try ServerMessage(type, payload)))
            }
        }
    }

    private func append(_ payload: RawSpan) throws(FrameError) {
        guard payload.byteCount >= DERPSizes.key else { throw .malformed(.receivePacket) }
        let source = NodeKey(Bytes32(payload.extracting(0..<DERPSizes.key)))
        let start = batch.bytes.count
        let packet = payload.extracting(DERPSizes.key..<payload.byteCount)
        unsafe packet.withUnsafeBytes { unsafe batch.bytes.append(contentsOf: $0) }
        batch.packets.append(.init(source: source, range: start..<batch.bytes.count))
    }

    // MARK: The end

    private func fail(_ reason: String, _ context: ChannelHandlerContext) {
        if failure == nil { failure = reason }
        context.close(promise: nil)
    }

    private func end(_ reason: String) {
        if case .ended = phase { return }
        phase = .ended
        signal(.ended(reason: failure ?? reason, isRefused: isRefused))
    }
}
