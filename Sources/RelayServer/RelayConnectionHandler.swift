internal import CryptoPrimitives
internal import DERP
internal import Logging
internal import NIOCore
internal import NetTypes
internal import RelayCore

/// One client's connection: login, then frames in and out.
final class RelayConnectionHandler: ChannelInboundHandler, RelayEndpoint {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Phase {
        case awaitingLogin
        /// The key is proven; whether it is welcome is being asked.
        case admitting(Task<Void, Never>)
        case connected(ConnectionID)
        case closed
    }

    /// The socket's own unsent bytes are bounded, so that what waits waits in the core, where it is
    /// ordered and shed.
    private static let unsentByteCountMax = 128 << 10
    /// What may arrive while admission is asked; reading stops then, TLS may still hold some.
    private static let heldByteCountMax = 512 << 10

    private let server: RelayServer
    private let remoteAddress: IPAddress?
    private var phase = Phase.awaitingLogin
    private var context: ChannelHandlerContext?
    private var splitter = FrameSplitter(limits: .server)
    private var loginTimer: Scheduled<Void>?
    private var held: ByteBuffer?
    private var output: RelayOutput?
    private var packets: [RelayServer.InboundPacket] = []
    private var messages: [ClientMessage] = []

    init(server: RelayServer, remoteAddress: IPAddress?) {
        self.server = server
        self.remoteAddress = remoteAddress
    }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        setOptions(context.channel)
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        loginTimer = context.eventLoop.scheduleTask(in: server.configuration.loginTimeout) {
            bound.value.close("no login in time")
        }
        if context.channel.isActive { begin(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        begin(context)
        context.fireChannelActive()
    }

    private func begin(_ context: ChannelHandlerContext) {
        let key = ByteBuffer(bytes: ServerKeyFrame.frame(server.publicKey))
        context.writeAndFlush(wrapOutboundOut(key), promise: nil)
        context.read()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        end()
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        receive(unwrapInboundIn(data))
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { drain() }
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { close("\(error)") }

    /// The options of the listening socket were chosen for HTTP.
    private func setOptions(_ channel: any Channel) {
        guard let options = channel.syncOptions else { return }
        // Linux tcp(7): TCP_USER_TIMEOUT in milliseconds, TCP_NOTSENT_LOWAT in bytes.
        let userTimeout = NIOBSDSocket.Option(rawValue: 18)
        let unsentLowWater = NIOBSDSocket.Option(rawValue: 25)
        do {
            try options.setOption(.tcpOption(.tcp_nodelay), value: 1)
            try options.setOption(.tcpOption(userTimeout), value: 15_000)
            try options.setOption(
                .tcpOption(unsentLowWater), value: .init(Self.unsentByteCountMax))
            try options.setOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(
                    minimum: 1 << 10, initial: 4 << 10, maximum: 128 << 10))
            try options.setOption(
                .writeBufferWaterMark, value: .init(low: 16 << 10, high: 64 << 10))
            try options.setOption(.autoRead, value: true)
        } catch {
            server.logger.debug("a relay connection keeps its socket options: \(error)")
        }
    }

    // MARK: Input

    /// Bytes of the client, in order.
    func receive(_ buffer: ByteBuffer) {
        do {
            try split(buffer)
        } catch {
            close("\(error)")
            return
        }
        guard case .connected(let id) = phase, !packets.isEmpty || !messages.isEmpty else { return }
        server.route(packets, messages, from: id)
        packets.removeAll(keepingCapacity: packets.count <= 128)
        messages.removeAll()
    }

    private func split(_ buffer: ByteBuffer) throws(FrameError) {
        var offset = 0
        while true {
            switch phase {
            case .closed: return
            case .admitting:
                hold(buffer, from: offset)
                return
            case .awaitingLogin, .connected: break
            }
            switch try splitter.next(in: buffer.readableBytesSpan, from: &offset) {
            case .needMore: return
            case .assembled(let type):
                let payload = ByteBuffer(bytes: splitter.takeAssembled())
                try handle(type, payload)
            case .frame(let type, let range):
                guard
                    let payload = buffer.getSlice(
                        at: buffer.readerIndex + range.lowerBound, length: range.count)
                else { preconditionFailure("a frame lies inside its chunk") }
                try handle(type, payload)
            }
        }
    }

    private func hold(_ buffer: ByteBuffer, from offset: Int) {
        var rest = buffer
        rest.moveReaderIndex(forwardBy: offset)
        held.setOrWriteBuffer(&rest)
        if let held, held.readableBytes > Self.heldByteCountMax { close("input before admission") }
    }

    private func handle(_ type: FrameType, _ payload: ByteBuffer) throws(FrameError) {
        guard case .connected = phase else {
            guard type == .clientInfo else { throw .malformed(type) }
            let (key, info) = try ClientInfo.open(
                payload.readableBytesSpan, with: server.privateKey)
            handleLogin(of: key, info)
            return
        }
        if type == .forwardPacket { return try handleForward(payload) }
        guard type == .sendPacket else {
            let message = try ClientMessage(type, payload.readableBytesSpan)
            if case .other = message { return }
            messages.append(message)
            return
        }
        guard payload.readableBytes >= DERPSizes.key else { throw .malformed(type) }
        var packet = payload
        let destination = NodeKey(Bytes32(payload.readableBytesSpan.extracting(0..<DERPSizes.key)))
        packet.moveReaderIndex(forwardBy: DERPSizes.key)
        let isDisco = looksLikeDisco(packet.readableBytesSpan)
        packets.append(.init(destination: destination, payload: packet, isDisco: isDisco))
    }

    private func handleForward(_ payload: ByteBuffer) throws(FrameError) {
        let keys = 2 * DERPSizes.key
        guard payload.readableBytes >= keys else { throw .malformed(.forwardPacket) }
        var packet = payload
        let bytes = payload.readableBytesSpan
        let source = NodeKey(Bytes32(bytes.extracting(0..<DERPSizes.key)))
        let destination = NodeKey(Bytes32(bytes.extracting(DERPSizes.key..<keys)))
        packet.moveReaderIndex(forwardBy: keys)
        let isDisco = looksLikeDisco(packet.readableBytesSpan)
        packets.append(
            .init(destination: destination, payload: packet, isDisco: isDisco, source: source))
    }

    // MARK: Login

    private func handleLogin(of key: NodeKey, _ info: ClientInfo) {
        guard !info.meshKey.isEmpty else { return beginAdmission(of: key) }
        guard server.configuration.meshKey?.matches(info.meshKey) == true else {
            server.noteRelayRefused()
            server.logger.warning("relay mesh: \(key.shortText) does not know the mesh key")
            return close("wrong mesh key")
        }
        finishLogin(of: key, as: .relay)
    }

    private func beginAdmission(of key: NodeKey) {
        guard let context else { return }
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        let eventLoop = context.eventLoop
        let admit = server.admit
        let address = remoteAddress
        let task = Task {
            let isWelcome = await admit(key, address)
            eventLoop.execute { bound.value.finishAdmission(of: key, isWelcome: isWelcome) }
        }
        phase = .admitting(task)
        setAutoRead(false)
    }

    private func finishAdmission(of key: NodeKey, isWelcome: Bool) {
        guard case .admitting = phase else { return }
        guard isWelcome else {
            server.logger.info("relay: \(key.shortText) is not of this network")
            close("not admitted")
            return
        }
        finishLogin(of: key, as: .client)
    }

    private func finishLogin(of key: NodeKey, as role: ConnectionRole) {
        guard let context else { return }
        var random = SecureRandom()
        // Fails only for keys that cannot have opened the box before.
        guard
            let info = try? ServerInfo().frame(
                from: server.privateKey, to: key, random: &random)
        else { return close("no shared key") }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: info)), promise: nil)
        guard let id = server.connect(key, as: role, self, on: context.eventLoop) else {
            return close("too many connections")
        }
        endLogin()
        output = RelayOutput(id, of: server, to: context.channel)
        phase = .connected(id)
        setAutoRead(true)
        drain()
        if let held = held.take() { receive(held) }
    }

    private func endLogin() {
        guard let timer = loginTimer.take() else { return }
        timer.cancel()
        server.endLogin()
    }

    private func setAutoRead(_ isOn: Bool) {
        do {
            try context?.channel.syncOptions?.setOption(.autoRead, value: isOn)
        } catch {
            close("\(error)")
        }
    }

    // MARK: Output

    func drain() { if case .connected = phase { output?.drain() } }

    // MARK: The end

    /// Writes what can be written at once and closes.
    func finish() {
        drain()
        close("shutdown")
    }

    func close(_ reason: String) {
        guard let context else { return }
        if case .closed = phase { return }
        server.logger.debug("relay: closing a connection: \(reason)")
        end()
        context.close(promise: nil)
    }

    private func end() {
        switch phase {
        case .closed: return
        case .awaitingLogin: break
        case .admitting(let task): task.cancel()
        case .connected(let id): server.disconnect(id)
        }
        phase = .closed
        endLogin()
        packets = []
        held = nil
    }
}
