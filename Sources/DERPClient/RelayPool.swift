package import CryptoPrimitives
internal import DERP
package import Logging
package import NIOCore
package import NetTypes
internal import Synchronization

/// The node's connections to relays, one per region at most.
///
/// The home region stays connected; others are dialled when a packet wants to go there or is likely
/// to (`prepare`), and closed after a minute without packets, the few that were used last after
/// longer. Lost connections are dialled again, at once and then with
/// growing pauses. `send` may be called from any thread and never blocks. All connections live on
/// one event loop.
package final class RelayPool: Sendable {
    package typealias PacketHandler = @Sendable (RelayPacketBatch) -> Void
    package typealias EventHandler = @Sendable (RelayEvent) -> Void

    /// What happened to packets since the pool was made.
    package struct Statistics: Hashable, Sendable {
        package var packetsSent = 0
        package var packetsReceived = 0
        /// The outbox was full, or no connection came about in time.
        package var packetsDropped = 0
        /// The map has no such region, or the packet is larger than a relay takes.
        package var packetsRefused = 0
    }

    private struct Shared {
        /// One for each region of the map.
        var outboxes: [Int: Outbox] = [:]
        var statistics = Statistics()
        var home: Int?
        /// Regions that are kept open although they are idle, the one to close first in front.
        var kept: [Int] = []
        /// Regions that let nobody in.
        var unreachable: Set<Int> = []
        /// Keys that relays proved over TLS; nil where a fast start has failed.
        var relayKeys: [RelayMap.Node: RelayKey?] = [:]
        /// Relays behind something that refuses the plain upgrade.
        var webSocketNodes: Set<RelayMap.Node> = []

        /// Where to send what is for a region.
        func detour(_ region: Int) -> Int {
            guard unreachable.contains(region), let home, !unreachable.contains(home) else {
                return region
            }
            return home
        }
    }
    /// Confined to the event loop.
    private struct Workers {
        var byRegion: [Int: RegionWorker] = [:]
        var home: Int?
        var isShutDown = false
    }

    let nodeKey: PrivateKey<NodeKind>
    let eventLoop: any EventLoop
    let logger: Logger
    let configuration: RelayPoolConfiguration
    let onPackets: PacketHandler
    let onEvent: EventHandler
    private let shared = Mutex(Shared())
    private let workers: NIOLoopBoundBox<Workers?>

    /// Both handlers are called on an event loop and must return soon. They are not called any more
    /// after `shutDown` has returned.
    package init(
        nodeKey: PrivateKey<NodeKind>, group: any EventLoopGroup, logger: Logger,
        configuration: RelayPoolConfiguration = RelayPoolConfiguration(),
        onPackets: @escaping PacketHandler, onEvent: @escaping EventHandler
    ) {
        self.nodeKey = nodeKey
        eventLoop = group.next()
        self.logger = logger
        self.configuration = configuration
        self.onPackets = onPackets
        self.onEvent = onEvent
        workers = .makeEmptyBox(eventLoop: eventLoop)
    }

    package var statistics: Statistics { shared.withLock { $0.statistics } }

    /// Replaces the map. Connections to regions that are gone or changed are closed.
    package func update(map: RelayMap) {
        shared.withLock { shared in
            shared.outboxes = shared.outboxes.filter { map.regions[$0.key] != nil }
            shared.unreachable.formIntersection(map.regions.keys)
            shared.kept.removeAll { map.regions[$0] == nil }
            shared.webSocketNodes = []
            for id in map.regions.keys where shared.outboxes[id] == nil {
                shared.outboxes[id] = Outbox()
            }
        }
        onLoop { pool, workers in
            for id in workers.byRegion.keys.sorted() {
                guard let worker = workers.byRegion[id] else { continue }
                if map.regions[id].map(worker.matches) == true { continue }
                worker.shutDown(reason: "the relay map changed")
                workers.byRegion[id] = nil
            }
            for (id, region) in map.regions.sorted(by: { $0.key < $1.key })
            where workers.byRegion[id] == nil {
                let worker = RegionWorker(region: region, pool: pool)
                workers.byRegion[id] = worker
                worker.setHome(id == workers.home)
            }
        }
    }

    /// Connects to the region for good, and tells it and the former one. Nil: no home.
    package func setHome(region: Int?) {
        shared.withLock { $0.home = region }
        onLoop { _, workers in
            workers.home = region
            for id in workers.byRegion.keys.sorted() where id != region {
                workers.byRegion[id]?.setHome(false)
            }
            if let region { workers.byRegion[region]?.setHome(true) }
        }
    }

    /// Queues a packet of at most 64 KiB for a peer's relay. The oldest packets are dropped, and
    /// counted, when the relay does not keep up.
    package func send(region named: Int, to peer: NodeKey, packet: RawSpan) {
        let now = now()
        let (region, isNews) = shared.withLock { shared -> (Int, Bool) in
            let region = shared.detour(named)
            guard packet.byteCount <= DERPSizes.packetMax,
                var outbox = shared.outboxes[region].take()
            else {
                shared.statistics.packetsRefused += 1
                return (region, false)
            }
            shared.statistics.packetsSent += 1
            shared.statistics.packetsDropped += outbox.append(
                packet, to: peer, bytesMax: configuration.outboxBytesMax, at: now)
            let isNews = !outbox.isAnnounced
            outbox.isAnnounced = true
            shared.outboxes[region] = outbox
            return (region, isNews)
        }
        if isNews { onLoop { _, workers in workers.byRegion[region]?.handleOutput() } }
    }

    package func send(region: Int, to peer: NodeKey, packet: [UInt8]) {
        unsafe send(region: region, to: peer, packet: packet.span.bytes)
    }

    /// Connects to the region, or keeps the connection, because packets for it may come soon. To be
    /// said again while that is so.
    package func prepare(region: Int) {
        onLoop { _, workers in workers.byRegion[region]?.prepare() }
    }

    /// After a change of links: a connection from an address that this machine does not have any more
    /// is made again at once, any other has to prove that it lives.
    package func probe(addresses: Set<IPAddress>) {
        // What refused an upgrade may have been of the network that was left.
        shared.withLock { $0.webSocketNodes = [] }
        onLoop { _, workers in
            for id in workers.byRegion.keys.sorted() {
                workers.byRegion[id]?.probe(addresses: addresses)
            }
        }
    }

    /// Closes everything. The pool cannot be used again.
    package func shutDown() async {
        onLoop { _, workers in
            workers.isShutDown = true
            for id in workers.byRegion.keys.sorted() {
                workers.byRegion[id]?.shutDown(reason: "shut down")
            }
            workers.byRegion = [:]
        }
        // Runs behind the above. Fails only with the event loop, and then everything is closed.
        try? await eventLoop.submit {}.get()
    }

    private func onLoop(_ body: @escaping @Sendable (RelayPool, inout Workers) -> Void) {
        eventLoop.execute { [self] in
            var workers = workers.value ?? Workers()
            guard !workers.isShutDown else { return }
            body(self, &workers)
            self.workers.value = workers
        }
    }

    // MARK: What workers call

    func now() -> MonotonicInstant {
        MonotonicInstant(nanoseconds: NIODeadline.now().uptimeNanoseconds)
    }

    /// The next bytes for a region; nil when there are none, and the next packet announces itself.
    func popOutput(_ region: Int) -> ByteBuffer? {
        shared.withLock { shared in
            if let chunk = shared.outboxes[region]?.popNext() { return chunk }
            shared.outboxes[region]?.isAnnounced = false
            return nil
        }
    }

    /// The connection is gone: the next packet shall announce itself, to have it made again.
    func resetAnnouncement(_ region: Int) {
        shared.withLock { $0.outboxes[region]?.isAnnounced = false }
    }

    /// Whether the connection to a region that became idle is to be kept; another that was idle before
    /// it may be closed for it.
    func keep(_ region: Int) -> Bool {
        guard configuration.keptMax > 0 else { return false }
        let released = shared.withLock { shared -> Int? in
            shared.kept.removeAll { $0 == region }
            shared.kept.append(region)
            return shared.kept.count > configuration.keptMax ? shared.kept.removeFirst() : nil
        }
        if let released { onLoop { _, workers in workers.byRegion[released]?.release() } }
        return true
    }

    func noteReachable(_ region: Int, _ isReachable: Bool) {
        shared.withLock { shared in
            if isReachable {
                shared.unreachable.remove(region)
            } else {
                shared.unreachable.insert(region)
            }
        }
    }

    /// The key of a relay with which a login can begin before the relay has said a word.
    func fastStartKey(of node: RelayMap.Node) -> RelayKey? {
        shared.withLock { $0.relayKeys[node] ?? nil }
    }

    func noteKey(_ key: RelayKey, of node: RelayMap.Node) {
        guard !node.isPlainHTTP else { return }
        shared.withLock { shared in
            // Maps change, but not a thousand times.
            guard shared.relayKeys.count < 1_024, shared.relayKeys[node] == nil else { return }
            shared.relayKeys[node] = key
        }
    }

    func noteFastStartFailed(_ node: RelayMap.Node) {
        shared.withLock { $0.relayKeys[node] = .some(nil) }
    }

    func needsWebSocket(_ node: RelayMap.Node) -> Bool {
        shared.withLock { $0.webSocketNodes.contains(node) }
    }

    func note(_ node: RelayMap.Node, needsWebSocket: Bool) {
        shared.withLock { shared in
            if needsWebSocket {
                shared.webSocketNodes.insert(node)
            } else {
                shared.webSocketNodes.remove(node)
            }
        }
    }

    func dropStale(_ region: Int, at now: MonotonicInstant) {
        shared.withLock { shared in
            let start = now - configuration.outboxAgeMax
            shared.statistics.packetsDropped +=
                shared.outboxes[region]?.dropBegun(before: start) ?? 0
        }
    }

    func notePackets(_ count: Int) {
        shared.withLock { $0.statistics.packetsReceived += count }
    }
}
