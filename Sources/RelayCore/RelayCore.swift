public import DERP
public import NetTypes

/// The decisions of a DERP relay (data-protocol §4.3): who is connected, where a packet goes, what
/// waits and what is dropped.
///
/// One owner calls `connect` for each verified login, `handlePacket` and `handleMessage` for what
/// arrives, then asks `takeReady` which connections have something to write, and writes what
/// `pollTransmit` gives for them until the socket is full. `handleTimeout` is due at
/// `nextDeadline`; `pollEvent` says what to close. `Payload` is the driver's buffer: the relay only
/// hands it on.
///
/// Several relays may serve one region. Each dials the others (`connectLink`), is told who is there,
/// and hands packets for them on. What came from a relay is never handed on to another.
public struct RelayCore<Payload>: ~Copyable {
    package enum Event: Hashable, Sendable {
        case close(ConnectionID, CloseReason)
    }
    package enum CloseReason: Hashable, Sendable {
        /// Accepted no bytes for too long.
        case slow
        /// Its key has made too many newer connections.
        case superseded
        /// The node may no longer be here.
        case removed
        /// It asked for what only relays of the region may do.
        case notPermitted
    }
    package enum Refusal: Error, Hashable, Sendable {
        case tooManyConnections(limit: Int)
    }

    public let configuration: RelayConfiguration
    @usableFromInline package internal(set) var statistics = RelayStatistics()
    /// Becomes due when `handleTimeout` has something to do.
    package internal(set) var nextDeadline: MonotonicInstant?

    // Places that are free hold something vacant instead of nil: a field of an optional is read by
    // copying the whole, which counts the references of every queue.
    @usableFromInline var connections: [Connection<Payload>] = []
    @usableFromInline var freeConnections: [Int] = []
    @usableFromInline var generation: UInt32 = 0
    @usableFromInline var clients: [Client] = []
    @usableFromInline var freeClients: [Int] = []
    @usableFromInline var clientByKey: [NodeKey: Int] = [:]
    @usableFromInline var ready: [ConnectionID] = []
    @usableFromInline var queuedCost = 0
    /// Relays of the region that want to know who is here, in the order they asked.
    var presenceWatchers: [ConnectionID] = []
    var events = Ring<Event>()

    package init(configuration: RelayConfiguration = RelayConfiguration()) {
        self.configuration = configuration
    }

    // MARK: Coming and going

    package var connectionCount: Int { connections.count - freeConnections.count }
    /// Keys that are here or at another relay of the region.
    package var clientCount: Int { clientByKey.count }
    /// Bytes waiting in all queues, with the allowance for each packet's keeping.
    package var queuedBytes: Int { queuedCost }

    /// Admits a connection whose key is proven. Only the driver can tell that the other side is a
    /// relay of the region.
    package mutating func connect(
        _ key: NodeKey, as role: ConnectionRole = .client, at now: MonotonicInstant
    ) throws(Refusal) -> ConnectionID {
        guard connectionCount < configuration.connectionsMax else {
            statistics.connectionsRefused += 1
            throw .tooManyConnections(limit: configuration.connectionsMax)
        }
        statistics.connectionsAccepted += 1
        let index = freeConnections.popLast() ?? connections.count
        if index == connections.count { connections.append(Connection()) }
        generation = generation == .max ? 1 : generation + 1
        let id = ConnectionID(index: UInt32(index), generation: generation)
        let client = role == .client ? join(id, key, at: now) : -1
        connections[index] = Connection(
            id: id, key: key, client: client, role: role,
            keepAliveInterval: configuration.keepAliveInterval,
            notHereBurst: configuration.notHereBurst, at: now)
        nextDeadline = earliest(nextDeadline, connections[index].keepAliveAt)
        return id
    }

    private mutating func join(
        _ id: ConnectionID, _ key: NodeKey, at now: MonotonicInstant
    ) -> Int {
        guard let client = clientByKey[key] else {
            let client = addClient(Client(key: key, first: id))
            announce(key)
            return client
        }
        let isNews = clients[client].connections.isEmpty
        doubtConnections(of: client, at: now)
        clients[client].connections.append(id)
        clients[client].active = id
        if isNews { announce(key) }
        if clients[client].connections.count > configuration.connectionsPerKeyMax {
            events.append(.close(clients[client].connections[0], .superseded))
        }
        return client
    }

    mutating func addClient(_ client: Client) -> Int {
        let index = freeClients.popLast() ?? clients.count
        if index == clients.count { clients.append(client) }
        clients[index] = client
        clientByKey[client.key] = index
        return index
    }

    /// Forgets a connection that ended. Unknown ones are ignored.
    package mutating func disconnect(_ id: ConnectionID) {
        guard var connection = take(id) else { return }
        queuedCost -= connection.egress.cost
        statistics.count(.receiverGone, connection.egress.removeAll())
        switch connection.role {
        case .client: leave(id, connection.client)
        case .relay: presenceWatchers.removeAll { $0 == id }
        // Sorted: the order in which clients are told must not depend on hashing.
        case .link: for key in connection.present.sorted() { forget(key, at: id) }
        }
    }

    private mutating func leave(_ id: ConnectionID, _ index: Int) {
        var client = clients[index]
        client.connections.removeAll { $0 == id }
        if client.active == id, let next = client.connections.last ?? client.links.first {
            client.active = next
        }
        clients[index] = client
        if client.connections.isEmpty {
            announce(client.key)
            removeIfGone(index)
        } else if client.isWarned {
            warnOfDuplicates(index)
        }
    }

    /// A client that no relay of the region has any more: those that received from it are told.
    mutating func removeIfGone(_ index: Int) {
        let client = clients[index]
        guard client.connections.isEmpty, client.links.isEmpty else { return }
        clients[index] = Client()
        clientByKey[client.key] = nil
        freeClients.append(index)
        for watcher in client.watchers { send(.peerGone(client.key, .disconnected), to: watcher) }
    }

    private mutating func take(_ id: ConnectionID) -> Connection<Payload>? {
        guard isCurrent(id) else { return nil }
        freeConnections.append(Int(id.index))
        var connection = Connection<Payload>()
        swap(&connection, &connections[Int(id.index)])
        return connection
    }

    /// Asks for the connections of a node to be closed.
    package mutating func remove(_ key: NodeKey) {
        guard let client = clientByKey[key] else { return }
        for id in clients[client].connections { events.append(.close(id, .removed)) }
    }

    /// Tells everyone that the relay goes away.
    package mutating func announceRestart(reconnectIn: Nanoseconds, tryFor: Nanoseconds) {
        for index in connections.indices {
            let id = connections[index].id
            guard !id.isNone, connections[index].role != .link else { continue }
            send(.restarting(reconnectIn: reconnectIn, tryFor: tryFor), to: id)
        }
    }

    // MARK: What arrives

    /// Routes a packet of `byteCount` bytes, or several of the same kind in a row. They are queued for
    /// their receiver or dropped and counted.
    ///
    /// Returns the receiver when the sender should wait until that has been written to: it takes what
    /// it is given, only not as fast, and this sender has its share of the queue.
    @inlinable @discardableResult
    public mutating func handlePacket(
        from sender: ConnectionID, to destination: NodeKey, _ payload: Payload, byteCount: Int,
        packetCount: Int = 1, isDisco: Bool, at now: MonotonicInstant
    ) -> ConnectionID? {
        let index = Int(sender.index)
        guard isCurrent(sender), connections[index].role == .client else { return nil }
        let source = connections[index].key
        statistics.packetsReceived += UInt64(packetCount)
        statistics.bytesReceived += UInt64(byteCount)
        guard let receiver = route(index, sender, destination) else {
            handleUnroutable(sender, destination, packetCount, isDisco: isDisco, at: now)
            return nil
        }
        enqueue(
            QueuedPacket(
                source: source, destination: destination, sender: sender.index,
                byteCount: byteCount, packetCount: packetCount, queuedAt: now, payload: payload),
            for: receiver, isDisco: isDisco)
        return mustWait(sender, for: receiver) ? receiver : nil
    }

    @inlinable
    func mustWait(_ sender: ConnectionID, for receiver: ConnectionID) -> Bool {
        let index = Int(receiver.index)
        let cost = connections[index].egress.data.cost
        // One that accepts nothing is not waited for: others want to be served meanwhile.
        guard cost > dataQueueBytesMax(index) / 2, connections[index].stallDeadline == nil else {
            return false
        }
        return connections[index].egress.data.hasShare(sender.index)
    }

    /// Who waits for the connection may go on.
    @inlinable
    public func hasRoom(_ id: ConnectionID) -> Bool {
        let index = Int(id.index)
        return !isCurrent(id) || connections[index].stallDeadline != nil
            || connections[index].egress.data.cost <= dataQueueBytesMax(index) / 4
    }

    /// Finds the receiver; makes the sender the active connection of its key, and the receiver one
    /// that is told when the sender leaves.
    @inlinable
    mutating func route(
        _ index: Int, _ sender: ConnectionID, _ destination: NodeKey
    ) -> ConnectionID? {
        let own = connections[index].client
        if clients[own].active != sender { clients[own].active = sender }
        let client = connections[index].lastClient
        if client >= 0, clients[client].key == destination, !clients[client].active.isNone {
            let active = clients[client].active
            if active != connections[index].lastReceiver {
                noteReceiver(index, active, client)
            }
            return active
        }
        guard let client = clientByKey[destination] else { return nil }
        let active = clients[client].active
        noteReceiver(index, active, client)
        return active
    }

    @usableFromInline
    mutating func noteReceiver(_ index: Int, _ receiver: ConnectionID, _ client: Int) {
        connections[index].lastClient = client
        connections[index].lastReceiver = receiver
        noteWatcher(receiver, of: connections[index].client)
    }

    /// The receiver is told when the client leaves. A relay is told of all clients anyway.
    mutating func noteWatcher(_ receiver: ConnectionID, of own: Int) {
        guard isCurrent(receiver), connections[Int(receiver.index)].role == .client,
            !clients[own].watcherSet.contains(receiver)
        else { return }
        if clients[own].watchers.count >= configuration.watchersMax {
            let current = clients[own].watchers.filter { isCurrent($0) }
            clients[own].watchers = current
            clients[own].watcherSet = Set(current)
            guard current.count < configuration.watchersMax else {
                statistics.watchersForgotten += 1
                return
            }
        }
        clients[own].watchers.append(receiver)
        clients[own].watcherSet.insert(receiver)
    }

    @usableFromInline
    mutating func handleUnroutable(
        _ sender: ConnectionID, _ destination: NodeKey, _ packetCount: Int, isDisco: Bool,
        at now: MonotonicInstant
    ) {
        statistics.count(.unknownDestination, packetCount)
        // Only path finding waits for an answer; the tunnel has its own timers.
        guard isDisco else { return }
        let index = Int(sender.index)
        let elapsed = now - connections[index].notHereRefilledAt
        let refill = Int(elapsed.count / configuration.notHereInterval.count)
        if refill > 0 {
            connections[index].notHereAllowance = min(
                configuration.notHereBurst, connections[index].notHereAllowance + refill)
            connections[index].notHereRefilledAt = now
        }
        if connections[index].notHereAllowance > 0 {
            connections[index].notHereAllowance -= 1
            send(.peerGone(destination, .notHere), to: sender)
        }
    }

    /// A message of a client that is no packet.
    package mutating func handleMessage(_ message: ClientMessage, from id: ConnectionID) {
        guard isCurrent(id) else { return }
        switch message {
        case .notePreferred(let isPreferred):
            connections[Int(id.index)].isPreferred = isPreferred
        case .ping(let data): send(.pong(data), to: id)
        case .watchConnections: if permit(id) { beginWatching(id) }
        case .closePeer(let key): if permit(id) { remove(key) }
        case .pong: handleAnswer(from: id)
        case .other: break
        }
    }

    // MARK: What waits

    @inlinable
    mutating func enqueue(
        _ packet: QueuedPacket<Payload>, for receiver: ConnectionID, isDisco: Bool
    ) {
        let index = Int(receiver.index)
        guard queuedCost + packet.cost <= configuration.totalQueueBytesMax else {
            statistics.count(.memory, packet.packetCount)
            return
        }
        queuedCost += packet.cost
        if isDisco {
            connections[index].egress.disco.append(packet)
        } else {
            connections[index].egress.data.append(packet)
        }
        shorten(index)
        markReady(receiver)
    }

    @inlinable
    func dataQueueBytesMax(_ index: Int) -> Int {
        connections[index].role == .link
            ? configuration.linkQueueBytesMax : configuration.dataQueueBytesMax
    }

    @inlinable
    mutating func shorten(_ index: Int) {
        while connections[index].egress.data.cost > dataQueueBytesMax(index),
            let dropped = connections[index].egress.data.dropOldestOfLongest()
        {
            queuedCost -= dropped.cost
            statistics.count(.queueFull, dropped.packetCount)
        }
        while connections[index].egress.disco.cost > configuration.discoQueueBytesMax,
            let dropped = connections[index].egress.disco.dropOldestOfLongest()
        {
            queuedCost -= dropped.cost
            statistics.count(.queueFull, dropped.packetCount)
        }
    }

    /// Queues a message of the relay itself; drops it when the client takes none.
    @usableFromInline
    mutating func send(_ message: ServerMessage, to id: ConnectionID) {
        guard isCurrent(id) else { return }
        guard connections[Int(id.index)].egress.messages.count < configuration.messageQueueMax
        else {
            statistics.count(.messageQueueFull)
            return
        }
        connections[Int(id.index)].egress.messages.append(message)
        markReady(id)
    }

    @inlinable
    mutating func markReady(_ id: ConnectionID) {
        guard !connections[Int(id.index)].isReady else { return }
        connections[Int(id.index)].isReady = true
        ready.append(id)
    }

    @inlinable
    public func isCurrent(_ id: ConnectionID) -> Bool {
        Int(id.index) < connections.count
            && connections[Int(id.index)].id.generation == id.generation
    }

    // MARK: What goes out

    /// The connections that got something to write since the last call.
    @inlinable
    public mutating func takeReady() -> [ConnectionID] {
        for id in ready where isCurrent(id) { connections[Int(id.index)].isReady = false }
        let result = ready
        ready.removeAll(keepingCapacity: true)
        return result
    }

    /// The next frame for a connection; nil when nothing waits.
    @inlinable
    public mutating func pollTransmit(
        for id: ConnectionID, at now: MonotonicInstant
    ) -> RelayTransmit<Payload>? {
        guard isCurrent(id) else { return nil }
        let index = Int(id.index)
        if let message = connections[index].egress.messages.popFirst() { return .message(message) }
        if !connections[index].news.isEmpty { return nextNews(index) }
        while let packet = connections[index].egress.popNextPacket() {
            queuedCost -= packet.cost
            if now - packet.queuedAt > configuration.queueAgeMax {
                statistics.count(.stale, packet.packetCount)
                continue
            }
            statistics.packetsSent += UInt64(packet.packetCount)
            statistics.bytesSent += UInt64(packet.byteCount)
            if connections[index].role == .link {
                statistics.packetsForwardedOut += UInt64(packet.packetCount)
                return .forward(
                    source: packet.source, destination: packet.destination, packet.payload)
            }
            return .packet(source: packet.source, packet.payload)
        }
        return nil
    }

    /// The connection accepts no more bytes for now.
    package mutating func noteBlocked(_ id: ConnectionID, at now: MonotonicInstant) {
        guard isCurrent(id), connections[Int(id.index)].stallDeadline == nil else { return }
        let deadline = now + configuration.writeStallMax
        connections[Int(id.index)].stallDeadline = deadline
        nextDeadline = earliest(nextDeadline, deadline)
    }

    /// The connection accepted bytes.
    package mutating func noteProgress(_ id: ConnectionID) {
        guard isCurrent(id) else { return }
        connections[Int(id.index)].stallDeadline = nil
    }

    // MARK: Time

    package mutating func handleTimeout(at now: MonotonicInstant) {
        guard let deadline = nextDeadline, deadline <= now else { return }
        nextDeadline = nil
        for index in connections.indices {
            let id = connections[index].id
            if id.isNone { continue }
            if let stall = connections[index].stallDeadline, stall <= now {
                events.append(.close(id, .slow))
                statistics.slowConnectionsClosed += 1
                connections[index].stallDeadline = nil
            }
            if let due = connections[index].keepAliveAt, due <= now {
                connections[index].keepAliveAt = KeepAlive.next(
                    for: connections[index].key, after: now,
                    period: configuration.keepAliveInterval)
                send(.keepAlive, to: id)
            }
            if let due = connections[index].questionAt, due <= now {
                connections[index].questionAt = nil
                question(id)
            }
            nextDeadline = earliest(nextDeadline, connections[index].keepAliveAt)
            nextDeadline = earliest(nextDeadline, connections[index].stallDeadline)
            nextDeadline = earliest(nextDeadline, connections[index].questionAt)
        }
    }

    package mutating func pollEvent() -> Event? { events.popFirst() }

    /// The connections of a key, oldest first.
    package func connections(of key: NodeKey) -> [ConnectionID] {
        clientByKey[key].map { clients[$0].connections } ?? []
    }

    /// Whether the node is connected to a relay of the region.
    package func knows(_ key: NodeKey) -> Bool { clientByKey[key] != nil }

    /// The keys that are connected here, sorted.
    package var localClients: [NodeKey] {
        clients.compactMap { $0.connections.isEmpty ? nil : $0.key }.sorted()
    }

    /// How many connections call this relay their home.
    package var homeCount: Int {
        connections.count { $0.isPreferred }
    }
}
