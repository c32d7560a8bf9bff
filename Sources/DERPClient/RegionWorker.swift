internal import CryptoPrimitives
internal import DERP
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
    private var channel: (any Channel)?
    private var isLoggedIn = false
    private var isHome = false
    private var isShutDown = false
    private var dialledAt = MonotonicInstant(nanoseconds: 0)
    /// Tells the current dial from one that was given up.
    private var dialNumber = 0

    init(region: RelayMap.Region, pool: RelayPool) {
        self.region = region
        self.pool = pool
        eventLoop = pool.eventLoop
        policy = RegionPolicy(configuration: pool.configuration)
    }

    // MARK: What the pool asks

    func matches(_ other: RelayMap.Region) -> Bool { region == other }

    func setHome(_ isHome: Bool) {
        guard self.isHome != isHome else { return }
        self.isHome = isHome
        policy.setHome(isHome, at: pool.now())
        if isLoggedIn { write(.notePreferred(isHome)) }
        perform()
    }

    /// There is something in the outbox.
    func handleOutput() {
        policy.noteUsed(at: pool.now())
        if isLoggedIn { drain() }
        perform()
    }

    func probe() {
        policy.probe(at: pool.now())
        perform()
    }

    func shutDown(reason: String) {
        let wasLoggedIn = isLoggedIn
        isShutDown = true
        isLoggedIn = false
        dialNumber += 1
        timer?.cancel()
        channel.take()?.close(promise: nil)
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
            case .close(let reason): end(Self.text(reason))
            }
        }
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
        dialNumber += 1
        dialledAt = pool.now()
        guard !region.nodes.isEmpty else { return end("\(RelayDialError.noNodes)") }
        let index = attempt % region.nodes.count
        let node = region.nodes[index]
        let number = dialNumber
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        dialer.connect(to: node).hop(to: eventLoop).whenComplete {
            result in
            bound.value.finishDial(result, to: node, isIdeal: index == 0, number: number)
        }
    }

    private func finishDial(
        _ result: Result<any Channel, any Error>, to node: RelayMap.Node, isIdeal: Bool, number: Int
    ) {
        guard number == dialNumber, !isShutDown else {
            if case .success(let channel) = result { channel.close(promise: nil) }
            return
        }
        do {
            let channel = try result.get()
            self.channel = channel
            let request = UpgradeRequest(
                host: node.hostName, idealNode: isIdeal ? nil : region.nodes.first?.name)
            let handler = RelayClientHandler(
                region: region.id, nodeKey: pool.nodeKey, request: request
            ) { [weak self] signal in self?.handle(signal, number) }
            let pipeline = channel.pipeline.syncOperations
            if let security = try dialer.securityHandler(for: node) {
                try pipeline.addHandler(security)
            }
            try pipeline.addHandler(handler)
            try channel.syncOptions?.setOption(.autoRead, value: true)
            channel.read()
        } catch {
            end("\(node.hostName): \(error)")
            perform()
        }
    }

    // MARK: What the connection says

    private func handle(_ signal: RelayClientHandler.Signal, _ number: Int) {
        guard number == dialNumber else { return }
        let now = pool.now()
        switch signal {
        case .loggedIn:
            isLoggedIn = true
            policy.noteConnected(at: now)
            pool.onEvent(.connected(region: region.id, latency: now - dialledAt))
            if isHome { write(.notePreferred(true)) }
            pool.dropStale(region.id, at: now)
            drain()
            perform()
        case .packets(let batch):
            policy.noteHeard(at: now)
            policy.noteUsed(at: now)
            pool.notePackets(batch.packets.count)
            pool.onPackets(batch)
        case .message(let message):
            policy.noteHeard(at: now)
            handle(message, at: now)
        case .writable: drain()
        case .ended(let reason):
            end(reason)
            perform()
        }
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

    /// The connection is over, or never came to be.
    private func end(_ reason: String) {
        dialNumber += 1
        isLoggedIn = false
        let channel = self.channel.take()
        policy.noteDisconnected(at: pool.now(), random: &random)
        channel?.close(promise: nil)
        pool.resetAnnouncement(region.id)
        pool.logger.debug("relay region \(region.id): \(reason)")
        pool.onEvent(.disconnected(region: region.id, reason: reason))
    }

    // MARK: Writing

    private func write(_ message: ClientMessage) {
        channel?.writeAndFlush(ByteBuffer(bytes: message.frame), promise: nil)
    }

    private func drain() {
        guard let channel, isLoggedIn else { return }
        var hasWritten = false
        while channel.isWritable, let chunk = pool.popOutput(region.id) {
            channel.write(chunk, promise: nil)
            hasWritten = true
        }
        if hasWritten { channel.flush() }
    }
}
