package import CryptoPrimitives
package import DERP
package import DERPClient
package import Logging
package import NIOCore
package import NetTypes
package import RelayCore
internal import Synchronization

/// A DERP relay for connections that an HTTP server has upgraded.
///
/// The HTTP server recognizes `GET /derp` with `Upgrade: DERP`, answers 101 with `upgradeHeaders`
/// (or nothing, when the request has `Derp-Fast-Start: 1`), removes its handlers and calls `adopt`.
///
/// Channels may live on any event loop. The decisions are one `RelayCore` behind a lock that is
/// taken once for each read and each write, not for each packet.
package final class RelayServer: Sendable {
    /// Whether the node may use this relay; asked once per login. The address is the client's.
    package typealias Admission = @Sendable (NodeKey, IPAddress?) async -> Bool

    package struct Configuration: Sendable {
        package var relay = RelayConfiguration()
        /// From `adopt` to the end of the login.
        package var loginTimeout = TimeAmount.seconds(10)
        /// Connections that have not logged in yet.
        package var loginsMax = 2_000
        /// Resolution of keep-alives and of the bound on stalled writes.
        package var tick = TimeAmount.seconds(1)
        /// What clients are told on shutdown: come back after the first, try for the second.
        package var reconnectIn = Nanoseconds.seconds(1)
        package var reconnectFor = Nanoseconds.seconds(30)
        /// What proves that who connects is another relay of the region; nil when there is none.
        package var meshKey: MeshKey?

        package init() {}
    }

    struct State: ~Copyable {
        var core: RelayCore<ByteBuffer>
        /// By index of the connection's ID.
        var peers: [Peer?] = []
        var loginCount = 0
        var isShutDown = false
    }
    /// How to reach the handler of a connection from any thread.
    struct Peer {
        var id: ConnectionID
        var endpoint: NIOLoopBound<any RelayEndpoint>
        var eventLoop: any EventLoop
        /// Senders that go on when the connection has been written to.
        var waiting: [ConnectionID] = []
    }

    let privateKey: PrivateKey<RelayKind>
    let configuration: Configuration
    let logger: Logger
    let admit: Admission
    private let state: Mutex<State>
    private let timer: Mutex<Scheduled<Void>?>
    private let links: Mutex<[Link]>
    private struct Link {
        var link: NIOLoopBound<MeshLink>
        var eventLoop: any EventLoop
    }

    /// The timer runs on a loop of `group`; channels need not belong to it.
    package init(
        privateKey: PrivateKey<RelayKind>, group: any EventLoopGroup, logger: Logger,
        configuration: Configuration = Configuration(), admit: @escaping Admission
    ) {
        self.privateKey = privateKey
        self.configuration = configuration
        self.logger = logger
        self.admit = admit
        state = Mutex(State(core: RelayCore(configuration: configuration.relay)))
        timer = Mutex(nil)
        links = Mutex([])
        scheduleTick(on: group.any())
    }

    /// At whole multiples of the tick, as keep-alives come, and not ever later as a repeated task.
    private func scheduleTick(on eventLoop: any EventLoop) {
        let tick = UInt64(configuration.tick.nanoseconds)
        let next = NIODeadline.uptimeNanoseconds(
            (NIODeadline.now().uptimeNanoseconds / tick + 1) * tick)
        let task = eventLoop.scheduleTask(deadline: next) { [weak self] in
            guard let self, !state.withLock({ $0.isShutDown }) else { return }
            handleTick()
            scheduleTick(on: eventLoop)
        }
        timer.withLock { $0 = task }
    }

    package var publicKey: RelayKey { privateKey.publicKey }

    /// Headers of the answer 101: `Upgrade`, `Connection`, `Derp-Version`, `Derp-Public-Key`.
    package var upgradeHeaders: [(name: String, value: String)] {
        upgradeResponseHeaders(key: publicKey)
    }

    package var statistics: RelayStatistics { state.withLock { $0.core.statistics } }
    /// Connections that have logged in.
    package var connectionCount: Int { state.withLock { $0.core.connectionCount } }
    /// Whether the node is connected here or at another relay of the region.
    package func knows(_ node: NodeKey) -> Bool { state.withLock { $0.core.knows(node) } }
    /// The nodes that are connected here, sorted.
    package var clients: [NodeKey] { state.withLock { $0.core.localClients } }
    /// Bytes waiting for slow clients.
    package var queuedBytes: Int { state.withLock { $0.core.queuedBytes } }

    /// The relay is shut down, or too many connections are at the login.
    package struct Overloaded: Error {}

    /// Takes over a channel that has nothing left in its pipeline but TLS, if any. `leftover` are
    /// bytes that arrived behind the request. Call it on the channel's event loop, right after the
    /// last HTTP handler was removed. The channel closes by itself when the client is not welcome.
    package func adopt(
        channel: any Channel, remoteAddress: IPAddress?, leftover: ByteBuffer? = nil
    ) throws {
        channel.eventLoop.preconditionInEventLoop()
        guard beginLogin() else { throw Overloaded() }
        let handler = RelayConnectionHandler(server: self, remoteAddress: remoteAddress)
        do {
            try channel.pipeline.syncOperations.addHandler(handler)
        } catch {
            endLogin()
            throw error
        }
        if let leftover, leftover.readableBytes > 0 { handler.receive(leftover) }
    }

    /// Connects to the other relays of the region; one that turns out to be this relay itself is
    /// left out. `trustFile` is a PEM file with authorities to trust besides the system's. Needs a
    /// mesh key.
    package func join(
        _ relays: [RelayMap.Node], trustFile: String? = nil, group: any EventLoopGroup
    ) {
        guard let key = configuration.meshKey else {
            preconditionFailure("relays of a region know each other by a key")
        }
        for node in relays {
            let eventLoop = group.any()
            eventLoop.execute { [self] in
                let link = MeshLink(self, key, to: node, trustFile: trustFile, on: eventLoop)
                let bound = NIOLoopBound(link, eventLoop: eventLoop)
                links.withLock { $0.append(Link(link: bound, eventLoop: eventLoop)) }
                if state.withLock({ !$0.isShutDown }) { link.start() }
            }
        }
    }

    /// Closes the connections of a node that may no longer be here.
    package func disconnect(_ node: NodeKey) {
        let (ready, events) = state.withLock { state in
            state.core.remove(node)
            return (wakeList(&state), takeEvents(&state))
        }
        wake(ready)
        close(events)
    }

    /// Tells all clients when to come back, closes their connections and refuses new ones.
    package func shutDown() {
        timer.withLock { $0.take() }?.cancel()
        let peers = state.withLock { state in
            state.isShutDown = true
            state.core.announceRestart(
                reconnectIn: configuration.reconnectIn, tryFor: configuration.reconnectFor)
            return state.peers.compactMap { $0 }
        }
        for peer in peers { peer.onLoop { $0.finish() } }
        for link in links.withLock({ $0 }) {
            link.eventLoop.execute { [link = link.link] in link.value.shutDown() }
        }
    }
}

// MARK: What handlers call

extension RelayServer {
    static func now() -> MonotonicInstant {
        MonotonicInstant(nanoseconds: NIODeadline.now().uptimeNanoseconds)
    }

    private func beginLogin() -> Bool {
        state.withLock { state in
            guard !state.isShutDown, state.loginCount < configuration.loginsMax else {
                return false
            }
            state.loginCount += 1
            return true
        }
    }

    func endLogin() { state.withLock { $0.loginCount -= 1 } }

    /// Registers a connection whose key is proven.
    func connect(
        _ key: NodeKey, as role: ConnectionRole = .client, _ endpoint: any RelayEndpoint,
        on eventLoop: any EventLoop
    ) -> ConnectionID? {
        let peer = NIOLoopBound(endpoint, eventLoop: eventLoop)
        let (id, ready, events) = state.withLock { state -> (ConnectionID?, [Peer], [Close]) in
            guard !state.isShutDown,
                // The core counts refusals.
                let id = try? state.core.connect(key, as: role, at: Self.now())
            else { return (nil, [], []) }
            let index = Int(id.index)
            while state.peers.count <= index { state.peers.append(nil) }
            state.peers[index] = Peer(id: id, endpoint: peer, eventLoop: eventLoop)
            return (id, wakeList(&state), takeEvents(&state))
        }
        wake(ready)
        close(events)
        return id
    }

    func disconnect(_ id: ConnectionID) {
        let (ready, resumed) = state.withLock { state -> ([Peer], [Peer]) in
            state.core.disconnect(id)
            let resumed = takeWaiting(for: id, &state)
            if state.peers[Int(id.index)]?.id == id { state.peers[Int(id.index)] = nil }
            return (wakeList(&state), resumed)
        }
        wake(ready)
        for peer in resumed { peer.onLoop { $0.resume() } }
    }

    /// Routes what one read brought and lets the receivers write. False: read no more until `resume`.
    func route(
        _ runs: [InboundRun], _ messages: [ClientMessage], from id: ConnectionID
    ) -> Bool {
        let now = Self.now()
        let (ready, events, isRoom) = state.withLock { state -> ([Peer], [Close], Bool) in
            var isRoom = true
            for run in runs {
                if let source = run.forwardedFrom {
                    state.core.handleForward(
                        from: id, source: source, to: run.destination, run.frames,
                        byteCount: run.byteCount, packetCount: run.packetCount,
                        isDisco: run.isDisco, at: now)
                    continue
                }
                let busy = state.core.handlePacket(
                    from: id, to: run.destination, run.frames, byteCount: run.byteCount,
                    packetCount: run.packetCount, isDisco: run.isDisco, at: now)
                // One receiver is enough to wait for.
                if isRoom, let busy, state.peers[Int(busy.index)]?.id == busy {
                    state.peers[Int(busy.index)]?.waiting.append(id)
                    isRoom = false
                }
            }
            for message in messages { state.core.handleMessage(message, from: id) }
            return (wakeList(&state), takeEvents(&state), isRoom)
        }
        wake(ready)
        close(events)
        return isRoom
    }

    /// Moves frames for a connection to `output` until they have `byteCountMax` bytes.
    func poll(
        _ id: ConnectionID, into output: inout [RelayTransmit<ByteBuffer>], byteCountMax: Int
    ) {
        let now = Self.now()
        let resumed = state.withLock { state in
            var byteCount = 0
            while byteCount < byteCountMax, let next = state.core.pollTransmit(for: id, at: now) {
                switch next {
                case .packet(_, let payload), .forward(_, _, let payload):
                    byteCount += payload.readableBytes
                case .message: break
                }
                byteCount += DERPSizes.header + DERPSizes.key
                output.append(next)
            }
            return takeWaiting(for: id, &state)
        }
        for peer in resumed { peer.onLoop { $0.resume() } }
    }

    /// The senders that waited for the connection, once it has room or takes nothing at all.
    private func takeWaiting(for id: ConnectionID, _ state: inout State) -> [Peer] {
        guard state.peers[Int(id.index)]?.waiting.isEmpty == false, state.core.hasRoom(id),
            let waiting = state.peers[Int(id.index)]?.waiting
        else { return [] }
        state.peers[Int(id.index)]?.waiting = []
        return waiting.compactMap { sender in
            state.peers[Int(sender.index)].flatMap { $0.id == sender ? $0 : nil }
        }
    }

    /// The socket is full.
    func noteBlocked(_ id: ConnectionID) {
        let now = Self.now()
        let resumed = state.withLock { state in
            state.core.noteBlocked(id, at: now)
            return takeWaiting(for: id, &state)
        }
        for peer in resumed { peer.onLoop { $0.resume() } }
    }

    func noteProgress(_ id: ConnectionID) { state.withLock { $0.core.noteProgress(id) } }

    func noteRelayRefused() { state.withLock { $0.core.noteRelayRefused() } }

    func notePresent(_ key: NodeKey, at link: ConnectionID) {
        let now = Self.now()
        state.withLock { $0.core.notePresent(key, at: link, now: now) }
    }

    func noteAbsent(_ key: NodeKey, at link: ConnectionID) {
        wake(
            state.withLock { state in
                state.core.noteAbsent(key, at: link)
                return wakeList(&state)
            })
    }

    private func handleTick() {
        let now = Self.now()
        let (ready, events) = state.withLock { state -> ([Peer], [Close]) in
            state.core.handleTimeout(at: now)
            return (wakeList(&state), takeEvents(&state))
        }
        wake(ready)
        close(events)
    }

    private struct Close {
        var peer: Peer
        var reason: RelayCore<ByteBuffer>.CloseReason
    }

    private func wakeList(_ state: inout State) -> [Peer] {
        state.core.takeReady().compactMap { id in
            guard Int(id.index) < state.peers.count, let peer = state.peers[Int(id.index)],
                peer.id == id
            else { return nil }
            return peer
        }
    }

    private func takeEvents(_ state: inout State) -> [Close] {
        var closes: [Close] = []
        while let event = state.core.pollEvent() {
            guard case .close(let id, let reason) = event,
                let peer = state.peers[Int(id.index)], peer.id == id
            else { continue }
            closes.append(Close(peer: peer, reason: reason))
        }
        return closes
    }

    private func wake(_ peers: [Peer]) {
        for peer in peers { peer.onLoop { $0.drain() } }
    }

    private func close(_ closes: [Close]) {
        for close in closes {
            let reason = close.reason
            close.peer.onLoop { $0.close("\(reason)") }
        }
    }
}

extension RelayServer.Peer {
    /// Runs `body` with the endpoint on its loop, at once when that is this thread.
    func onLoop(_ body: @escaping @Sendable (any RelayEndpoint) -> Void) {
        if eventLoop.inEventLoop {
            body(endpoint.value)
        } else {
            eventLoop.execute { [endpoint] in body(endpoint.value) }
        }
    }
}
