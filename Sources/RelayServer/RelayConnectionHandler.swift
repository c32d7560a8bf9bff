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
    private static let unsentByteCountMax = 32 << 10
    /// What may arrive while admission is asked; reading stops then, TLS may still hold some.
    private static let heldByteCountMax = 512 << 10

    private let server: RelayServer
    private let remoteAddress: IPAddress?
    private var phase = Phase.awaitingLogin
    /// That of the client once it has logged in.
    private var key = NodeKey.zero
    private var context: ChannelHandlerContext?
    private var splitter = FrameSplitter(limits: .server)
    private var loginTimer: Scheduled<Void>?
    private var held: ByteBuffer?
    private var output: RelayOutput?
    private var isWaiting = false
    private var runs = InboundRuns()
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
        guard case .connected(let id) = phase, !runs.isEmpty || !messages.isEmpty else { return }
        let isRoom = server.route(runs.take(), messages, from: id)
        messages.removeAll()
        if !isRoom, !isWaiting {
            isWaiting = true
            setAutoRead(false)
        }
    }

    /// There is room again where the client's packets go.
    func resume() {
        guard isWaiting, case .connected = phase else { return }
        isWaiting = false
        setAutoRead(true)
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
                let payload = splitter.takeAssembled()
                try unsafe handle(
                    type, payload.span.bytes, remaining: buffer.readableBytes - offset)
            case .frame(let type, let range):
                try handle(
                    type, buffer.readableBytesSpan.extracting(range),
                    remaining: buffer.readableBytes - offset)
            }
        }
    }

    private func hold(_ buffer: ByteBuffer, from offset: Int) {
        var rest = buffer
        rest.moveReaderIndex(forwardBy: offset)
        held.setOrWriteBuffer(&rest)
        if let held, held.readableBytes > Self.heldByteCountMax { close("input before admission") }
    }

    /// `remaining` bytes of the same read follow.
    private func handle(
        _ type: FrameType, _ payload: RawSpan, remaining: Int
    ) throws(FrameError) {
        guard case .connected = phase else {
            guard type == .clientInfo else { throw .malformed(type) }
            let (key, info) = try ClientInfo.open(payload, with: server.privateKey)
            handleLogin(of: key, info)
            return
        }
        switch type {
        case .sendPacket:
            let packet = try Self.packet(payload, behindKeys: 1, of: type)
            runs.append(
                packet, from: key, to: Self.key(0, payload), isForwarded: false,
                remaining: remaining)
        case .forwardPacket:
            let packet = try Self.packet(payload, behindKeys: 2, of: type)
            runs.append(
                packet, from: Self.key(0, payload), to: Self.key(1, payload), isForwarded: true,
                remaining: remaining)
        default:
            let message = try ClientMessage(type, payload)
            if case .other = message { return }
            messages.append(message)
        }
    }

    @_lifetime(copy payload)
    private static func packet(
        _ payload: RawSpan, behindKeys count: Int, of type: FrameType
    ) throws(FrameError) -> RawSpan {
        let start = count * DERPSizes.key
        guard payload.byteCount >= start else { throw .malformed(type) }
        return payload.extracting(start..<payload.byteCount)
    }

    private static func key(_ index: Int, _ payload: RawSpan) -> NodeKey {
        NodeKey(
            Bytes32(payload.extracting(index * DERPSizes.key..<(index + 1) * DERPSizes.key)))
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
        self.key = key
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
        runs = InboundRuns()
        held = nil
    }
}
