internal import CryptoPrimitives
internal import DERP
internal import Glibc
internal import Logging
internal import NIOCore
internal import NetTypes

/// Performs what a `RegionPolicy` decides for one region. Confined to the pool's event loop.
final class RegionWorker {
    private let region: RelayMap.Region
    private let pool: RelayPool
    private let eventLoop: any EventLoop
    private var dialer: RelayDialer {
        RelayDialer(eventLoop: eventLoop, trustFile: pool.configuration.trustFile)
    }
    private var policy: RegionPolicy
    private var random = SecureRandom()
    private var timer: Scheduled<Void>?
    /// Connections on their way to be logged in; several nodes may be dialled at once.
    private var dials: [Int: Dial] = [:]
    /// The one that is in use.
    private var current: (number: Int, channel: any Channel)?
    private var isHome = false
    private var isShutDown = false
    private var isUnreachable = false
    private var dialNumber = 0

    private struct Dial {
        var node: RelayMap.Node
        var startedAt: MonotonicInstant
        var channel: (any Channel)?
        var isFast = false
        var isWebSocket = false
    }

    init(region: RelayMap.Region, pool: RelayPool) {
        self.region = region
        self.pool = pool
        eventLoop = pool.eventLoop
        policy = RegionPolicy(
            configuration: pool.configuration, nodeCount: max(1, region.nodes.count))
    }

    // MARK: What the pool asks

    func matches(_ other: RelayMap.Region) -> Bool { region == other }

    func setHome(_ isHome: Bool) {
        guard self.isHome != isHome else { return }
        self.isHome = isHome
        policy.setHome(isHome, at: pool.now())
        if current != nil { write(.notePreferred(isHome)) }
        perform()
    }

    /// There is something in the outbox.
    func handleOutput() {
        policy.noteSent(at: pool.now())
        drain()
        perform()
    }

    /// The connection will be needed: keep it, or make it.
    func prepare() {
        policy.noteUsed(at: pool.now())
        perform()
    }

    /// Others are kept open instead of this one, if it is not in use.
    func release() {
        policy.release()
        perform()
    }

    func probe(addresses: Set<IPAddress>) {
        if let local = current?.channel.localAddress?.ipAddress.flatMap({ IPAddress($0) }),
            !local.isLoopback, !addresses.contains(local)
        {
            end("the address \(local) is gone")
        }
        policy.probe(at: pool.now())
        perform()
    }

    func shutDown(reason: String) {
        let wasLoggedIn = current != nil
        isShutDown = true
        timer?.cancel()
        closeAll()
        if wasLoggedIn { pool.onEvent(.disconnected(region: region.id, reason: reason)) }
    }

    // MARK: Decisions

    private func perform() {
        guard !isShutDown else { return }
        // Each action changes the phase or sets a timer, so the loop ends after a few turns.
        while let action = policy.poll(at: pool.now(), random: &random) {
            switch action {
            case .dial(let attempt): dial(attempt)
            case .ping(let id): write(.ping(id))
            case .checkKernel: checkKernel()
            case .considerKeeping: if pool.keep(region.id) { policy.keep(at: pool.now()) }
            case .close(let reason): end(Self.text(reason))
            }
        }
        tellReachability()
        schedule()
    }

    private static func text(_ reason: RegionPolicy.CloseReason) -> String {
        switch reason {
        case .idle: "not used any more"
        case .silent: "the relay was silent for too long"
        case .pingTimeout: "the relay does not answer"
        case .dialTimeout: "the relay could not be reached in time"
        }
    }

    private func schedule() {
        timer?.cancel()
        timer = nil
        guard let deadline = policy.nextDeadline else { return }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        // One millisecond late rather than a turn too early.
        let delay = max(0, (deadline - pool.now()).count) + 1_000_000
        timer = eventLoop.scheduleTask(in: .nanoseconds(delay)) { bound.value.perform() }
    }

    // MARK: Dialling

    private func dial(_ attempt: Int) {
        guard !region.nodes.isEmpty else { return end("\(RelayDialError.noNodes)") }
        dialNumber += 1
        let index = attempt % region.nodes.count
        let node = region.nodes[index]
        let number = dialNumber
        dials[number] = Dial(node: node, startedAt: pool.now())
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        dialer.connect(to: node).hop(to: eventLoop).whenComplete { result in
            bound.value.finishDial(result, isIdeal: index == 0, number: number)
        }
    }

    private func finishDial(
        _ result: Result<any Channel, any Error>, isIdeal: Bool, number: Int
    ) {
        guard let node = dials[number]?.node else {
            if case .success(let channel) = result { channel.close(promise: nil) }
            return
        }
        do {
            let channel = try result.get()
            dials[number]?.channel = channel
            let isWebSocket = pool.needsWebSocket(node)
            let relayKey = isWebSocket ? nil : pool.fastStartKey(of: node)
            dials[number]?.isFast = relayKey != nil
            dials[number]?.isWebSocket = isWebSocket
            var request = UpgradeRequest(
                host: node.hostName, idealNode: isIdeal ? nil : region.nodes.first?.name)
            request.isFastStart = relayKey != nil
            let handler = RelayClientHandler(
                region: region.id, nodeKey: pool.nodeKey, request: isWebSocket ? nil : request,
                relayKey: relayKey
            ) { [weak self] signal in self?.handle(signal, number) }
            let pipeline = channel.pipeline.syncOperations
            if let security = try dialer.securityHandler(for: node) {
                try pipeline.addHandler(security)
            }
            if isWebSocket { try pipeline.addHandler(WebSocketHandshake(request)) }
            try pipeline.addHandler(handler)
            try channel.syncOptions?.setOption(.autoRead, value: true)
            channel.read()
        } catch {
            fail(number, "\(error)")
        }
    }

    /// One of the dials came to nothing.
    private func fail(_ number: Int, _ reason: String, isRefused: Bool = false) {
        guard let dial = dials.removeValue(forKey: number) else { return }
        dial.channel?.close(promise: nil)
        let text = "\(dial.node.hostName): \(reason)"
        pool.logger.debug("relay region \(region.id): \(text)")
        if dial.isFast {
            // Something in between does not like it: once more, as everybody does it.
            pool.noteFastStartFailed(dial.node)
            if region.nodes.count == 1 { policy.forgiveFailure() }
        } else if dial.isWebSocket {
            pool.note(dial.node, needsWebSocket: false)
        } else if isRefused {
            // Proxies that know of no other upgrade pass WebSockets on.
            pool.note(dial.node, needsWebSocket: true)
            if region.nodes.count == 1 { policy.forgiveFailure() }
        }
        policy.noteDialFailed(at: pool.now(), random: &random)
        if dials.isEmpty { pool.onEvent(.disconnected(region: region.id, reason: text)) }
        perform()
    }

    private func tellReachability() {
        guard policy.isUnreachable != isUnreachable else { return }
        isUnreachable = policy.isUnreachable
        pool.noteReachable(region.id, !isUnreachable)
        if isUnreachable { pool.onEvent(.unreachable(region: region.id)) }
    }

    // MARK: What the connection says

    private func handle(_ signal: RelayClientHandler.Signal, _ number: Int) {
        let now = pool.now()
        switch signal {
        case .loggedIn(let key): logIn(number, key, at: now)
        case .ended(let reason, _) where number == current?.number:
            end(reason)
            perform()
        case .ended(let reason, let isRefused): fail(number, reason, isRefused: isRefused)
        case _ where number != current?.number: break
        case .packets(let batch):
            policy.noteHeard(at: now)
            policy.noteUsed(at: now)
            pool.notePackets(batch.packets.count)
            pool.onPackets(batch)
        case .message(let message):
            policy.noteHeard(at: now)
            handle(message, at: now)
        case .writable: drain()
        }
    }

    /// The first node to let us in is the one that is used.
    private func logIn(_ number: Int, _ key: RelayKey, at now: MonotonicInstant) {
        guard let dial = dials.removeValue(forKey: number), let channel = dial.channel else {
            return
        }
        closeAll()
        current = (number, channel)
        if !dial.isWebSocket { pool.noteKey(key, of: dial.node) }
        policy.noteConnected(at: now)
        tellReachability()
        pool.onEvent(.connected(region: region.id, latency: now - dial.startedAt))
        if isHome { write(.notePreferred(true)) }
        pool.dropStale(region.id, at: now)
        drain()
        perform()
    }

    private func handle(_ message: ServerMessage, at now: MonotonicInstant) {
        switch message {
        case .ping(let data): write(.pong(data))
        case .pong(let id):
            guard let latency = policy.notePong(id, at: now) else { return }
            pool.onEvent(.latency(region: region.id, latency))
            schedule()
        case .peerGone(let peer, let reason):
            pool.onEvent(.peerGone(region: region.id, peer, reason))
        case .health(let text): pool.onEvent(.health(region: region.id, text))
        case .restarting(let reconnectIn, let tryFor):
            policy.noteRestarting(reconnectIn: reconnectIn, tryFor: tryFor, at: now)
        case .keepAlive, .peerPresent, .other: break
        }
    }

    /// The connection is over, or none came to be.
    private func end(_ reason: String) {
        policy.noteDisconnected(at: pool.now(), random: &random)
        closeAll()
        pool.resetAnnouncement(region.id)
        pool.logger.debug("relay region \(region.id): \(reason)")
        pool.onEvent(.disconnected(region: region.id, reason: reason))
    }

    private func closeAll() {
        let channels = dials.sorted { $0.key < $1.key }.compactMap(\.value.channel)
        dials = [:]
        current.take()?.channel.close(promise: nil)
        for channel in channels { channel.close(promise: nil) }
    }

    /// Asks our kernel when it last heard from the relay's.
    private func checkKernel() {
        guard let current, let provider = current.channel as? any SocketOptionProvider else {
            return policy.noteKernelAlive(false, at: pool.now())
        }
        let limit = UInt32(pool.configuration.suspicionDelay.count / 1_000_000)
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        provider.getTCPInfo().hop(to: eventLoop).whenComplete { result in
            let worker = bound.value
            guard worker.current?.number == current.number else { return }
            // Without the kernel's word it is dead.
            let isAlive = (try? result.get()).map { $0.tcpi_last_ack_recv <= limit } ?? false
            worker.policy.noteKernelAlive(isAlive, at: worker.pool.now())
            worker.perform()
        }
    }

    // MARK: Writing

    private func write(_ message: ClientMessage) {
        current?.channel.writeAndFlush(ByteBuffer(bytes: message.frame), promise: nil)
    }

    private func drain() {
        guard let channel = current?.channel else { return }
        var hasWritten = false
        while channel.isWritable, let chunk = pool.popOutput(region.id) {
            channel.write(chunk, promise: nil)
            hasWritten = true
        }
        if hasWritten { channel.flush() }
    }
}
