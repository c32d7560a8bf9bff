import DERP
package import NetTypes

// Several relays of one region (data-protocol §4.3). Who is connected where is told from each relay
// to each other one; a packet is handed to the relay that has its receiver and goes no further.
extension RelayCore {
    // MARK: For relays that dialled us

    /// A login named a wrong mesh key.
    package mutating func noteRelayRefused() { statistics.relaysRefused += 1 }

    /// Whether the connection is one of a relay of the region; closes it when not.
    mutating func permit(_ id: ConnectionID) -> Bool {
        guard connections[Int(id.index)].role != .relay else { return true }
        events.append(.close(id, .notPermitted))
        return false
    }

    /// The relay is told of all clients that are here and of every change from now on.
    mutating func beginWatching(_ id: ConnectionID) {
        guard !connections[Int(id.index)].watchesPresence else { return }
        connections[Int(id.index)].watchesPresence = true
        presenceWatchers.append(id)
        for client in clients where !client.connections.isEmpty { addNews(of: client.key, for: id) }
    }

    /// A client has come or gone here.
    mutating func announce(_ key: NodeKey) {
        for id in presenceWatchers { addNews(of: key, for: id) }
    }

    /// What is told is how things are when it is written, so one entry for each key is enough
    /// however often it comes and goes.
    private mutating func addNews(of key: NodeKey, for id: ConnectionID) {
        guard connections[Int(id.index)].newsKeys.insert(key).inserted else { return }
        connections[Int(id.index)].news.append(key)
        markReady(id)
    }

    @usableFromInline
    mutating func nextNews(_ index: Int) -> RelayTransmit<Payload>? {
        guard let key = connections[index].news.popFirst() else { return nil }
        connections[index].newsKeys.remove(key)
        let isHere = clientByKey[key].map { !clients[$0].connections.isEmpty } ?? false
        return .message(
            isHere
                ? .peerPresent(PeerPresent(peer: key, endpoint: nil, flags: 1))
                : .peerGone(key, .disconnected))
    }

    /// Delivers packets that another relay of the region was sent by one of its clients. Never
    /// handed on: whoever is not connected here does not get it.
    package mutating func handleForward(
        from relay: ConnectionID, source: NodeKey, to destination: NodeKey, _ payload: Payload,
        byteCount: Int, packetCount: Int = 1, isDisco: Bool, at now: MonotonicInstant
    ) {
        guard isCurrent(relay), permit(relay) else { return }
        statistics.packetsReceived += UInt64(packetCount)
        statistics.packetsForwardedIn += UInt64(packetCount)
        statistics.bytesReceived += UInt64(byteCount)
        guard let client = clientByKey[destination],
            let receiver = localConnection(of: client)
        else {
            statistics.count(.forwardedInVain, packetCount)
            return
        }
        if let own = clientByKey[source] { noteWatcher(receiver, of: own) }
        enqueue(
            QueuedPacket(
                source: source, destination: destination, sender: Self.flow(of: source),
                byteCount: byteCount, packetCount: packetCount, queuedAt: now, payload: payload),
            for: receiver, isDisco: isDisco)
    }

    private func localConnection(of client: Int) -> ConnectionID? {
        let active = clients[client].active
        return isCurrent(active) && connections[Int(active.index)].role == .client
            ? active : clients[client].connections.last
    }

    /// Senders at other relays are told apart by their keys; two may share a turn.
    private static func flow(of source: NodeKey) -> UInt32 {
        source.bytes.withBytes { $0.bigEndian(at: 0, as: UInt32.self) } | 0x8000_0000
    }

    // MARK: For relays that we dialled

    /// The relay at the other end of a link has the client.
    package mutating func notePresent(
        _ key: NodeKey, at link: ConnectionID, now: MonotonicInstant
    ) {
        let index = Int(link.index)
        guard isCurrent(link), connections[index].role == .link else { return }
        guard connections[index].present.count < configuration.presenceMax else {
            statistics.presencesIgnored += 1
            return
        }
        guard connections[index].present.insert(key).inserted else { return }
        guard let client = clientByKey[key] else {
            _ = addClient(Client(key: key, elsewhere: link))
            return
        }
        clients[client].links.append(link)
        // A node that moved is still connected here until its old connection is found dead.
        let isNewcomer = now - connections[index].connectedAt >= configuration.presenceSettling
        if isNewcomer { clients[client].active = link }
    }

    /// The relay at the other end of a link does not have the client any more.
    package mutating func noteAbsent(_ key: NodeKey, at link: ConnectionID) {
        guard isCurrent(link), connections[Int(link.index)].present.remove(key) != nil else {
            return
        }
        forget(key, at: link)
    }

    mutating func forget(_ key: NodeKey, at link: ConnectionID) {
        guard let index = clientByKey[key] else { return }
        var client = clients[index]
        client.links.removeAll { $0 == link }
        if client.active == link, let next = client.connections.last ?? client.links.first {
            client.active = next
        }
        clients[index] = client
        removeIfGone(index)
    }

    /// How many clients the relay at the other end of a link has.
    package func presentCount(at link: ConnectionID) -> Int {
        isCurrent(link) ? connections[Int(link.index)].present.count : 0
    }
}
