package import NetTypes

/// How a relay behaves: what DERP over TCP is to those who use it.
package struct RelayBehavior: Equatable, Sendable {
    /// From the middle of the internet.
    package var delay: Nanoseconds
    /// Bytes a second for each receiver; nil: no limit.
    package var bytesPerSecond: Int?
    /// Bytes that wait for one receiver at most; what comes then is dropped.
    package var queueBytesMax = 256 * 1024
    package var isUp = true

    package init(delay: Nanoseconds) { self.delay = delay }
}

/// A packet under way by relay.
struct RelayMessage {
    enum Stage {
        /// On its way to the relay.
        case up
        /// On its way to the receiver.
        case down
        /// The relay's answer that the receiver is not there.
        case gone
    }
    var stage: Stage
    let region: Int
    let from: NodeKey
    let sender: Int
    let to: NodeKey
    let payload: [UInt8]
}

/// Connections to relays, by node key.
struct RelayNetwork {
    struct Connection {
        var readyAt: MonotonicInstant
        /// When the last packet in each direction arrives: TCP keeps the order.
        var lastUpAt = MonotonicInstant(nanoseconds: 0)
        var lastDownAt = MonotonicInstant(nanoseconds: 0)
        /// When the queue at the relay is empty.
        var freeAt = MonotonicInstant(nanoseconds: 0)
    }
    struct Client {
        var host: Int
        var connections: [Int: Connection] = [:]
    }
    var behaviors: [Int: RelayBehavior] = [:]
    var clients: [NodeKey: Client] = [:]
    var delivered = 0
    var dropped = 0
}

extension SimulatedNetwork {
    /// Round trips from nothing to a usable connection: TCP, TLS, HTTP, login.
    private static var connectRoundTrips: Int64 { 4 }

    /// A relay at this distance from the middle of the internet.
    package mutating func addRelay(region: Int, delay: Nanoseconds) {
        relays.behaviors[region] = RelayBehavior(delay: delay)
    }

    package mutating func setRelay(_ behavior: RelayBehavior, region: Int) {
        relays.behaviors[region] = behavior
    }

    package func relay(region: Int) -> RelayBehavior? { relays.behaviors[region] }

    /// The node with `key` is connected, from `host`, to these regions and no others.
    package mutating func connect(_ key: NodeKey, on host: HostID, toRelays regions: Set<Int>) {
        var client = RelayNetwork.Client(host: host.index)
        for region in regions { client.connections[region] = .init(readyAt: now) }
        relays.clients[key] = client
    }

    /// The node connects in addition, which takes a few round trips.
    package mutating func dialRelay(_ key: NodeKey, on host: HostID, region: Int) {
        var client = relays.clients[key] ?? RelayNetwork.Client(host: host.index)
        client.host = host.index
        if client.connections[region] == nil, let behavior = relays.behaviors[region] {
            let roundTrip = (wayOut(of: host.index) + behavior.delay) * 2
            client.connections[region] = .init(
                readyAt: now + roundTrip * Self.connectRoundTrips)
        }
        relays.clients[key] = client
    }

    /// All connections of the node break and are dialled again.
    package mutating func reconnectRelays(_ key: NodeKey) {
        guard let client = relays.clients[key] else { return }
        relays.clients[key]?.connections = [:]
        for region in client.connections.keys.sorted() {
            dialRelay(key, on: HostID(index: client.host), region: region)
        }
    }

    /// All connections of the node break; it is on nobody's list until it dials.
    package mutating func disconnectRelays(_ key: NodeKey) {
        relays.clients[key]?.connections = [:]
    }

    /// Packets that relays have delivered and dropped.
    package var relayCounts: (delivered: Int, dropped: Int) {
        (relays.delivered, relays.dropped)
    }

    /// Sends by relay: in order, without loss but for a full queue, later where the links lose
    /// packets. A connection that is missing is dialled first, and carries the packet when it stands.
    package mutating func relay(
        _ payload: [UInt8], region: Int, from sender: NodeKey, on host: HostID, to key: NodeKey
    ) {
        guard let behavior = relays.behaviors[region], behavior.isUp, isReachable(host.index) else {
            return drop(.noRoute)
        }
        dialRelay(sender, on: host, region: region)
        guard var connection = relays.clients[sender]?.connections[region] else {
            return drop(.noRoute)
        }
        var at = max(now, connection.readyAt) + wayOut(of: host.index) + behavior.delay
        at = max(at + retransmission(of: host.index), connection.lastUpAt)
        connection.lastUpAt = at
        relays.clients[sender]?.connections[region] = connection
        let message = RelayMessage(
            stage: .up, region: region, from: sender, sender: host.index, to: key,
            payload: payload)
        queue.insert(.relay(message), at: at)
    }

    mutating func step(_ message: RelayMessage) -> Arrival? {
        var message = message
        switch message.stage {
        case .up:
            leaveRelay(&message)
            return nil
        case .down:
            guard let client = relays.clients[message.to],
                client.connections[message.region] != nil, isReachable(client.host)
            else {
                drop(.noRoute)
                return nil
            }
            relays.delivered += 1
            return .relayed(
                to: HostID(index: client.host), region: message.region, from: message.from,
                payload: message.payload)
        case .gone:
            guard isReachable(message.sender) else { return nil }
            return .relayPeerGone(
                to: HostID(index: message.sender), region: message.region, message.to)
        }
    }

    /// At the relay: queue for the receiver, or tell the sender that it is not there.
    private mutating func leaveRelay(_ message: inout RelayMessage) {
        guard let behavior = relays.behaviors[message.region], behavior.isUp else {
            return drop(.noRoute)
        }
        guard let client = relays.clients[message.to],
            var connection = client.connections[message.region], connection.readyAt <= now
        else {
            drop(.noRoute)
            message.stage = .gone
            let at = now + behavior.delay + wayOut(of: message.sender)
            return queue.insert(.relay(message), at: at)
        }
        var departure = now + .microseconds(100)
        if let rate = behavior.bytesPerSecond {
            let waiting = max(connection.freeAt - now, .zero)
            guard Int(waiting.inSeconds * Double(rate)) <= behavior.queueBytesMax else {
                return drop(.tableFull)
            }
            let duration = Int64(message.payload.count) * 1_000_000_000 / Int64(rate)
            connection.freeAt = max(connection.freeAt, now) + Nanoseconds(count: duration)
            departure = max(departure, connection.freeAt)
        }
        var at = departure + behavior.delay + wayOut(of: client.host)
        at = max(at + retransmission(of: client.host), connection.lastDownAt)
        connection.lastDownAt = at
        relays.clients[message.to]?.connections[message.region] = connection
        message.stage = .down
        queue.insert(.relay(message), at: at)
    }

    private mutating func drop(_ reason: LossReason) {
        relays.dropped += 1
        lose(reason)
    }

    private func isReachable(_ host: Int) -> Bool {
        !hosts[host].isSuspended && hosts[host].link.link.isUp
    }

    /// What a lost segment costs: a retransmission timeout, 200 ms and a round trip.
    private mutating func retransmission(of host: Int) -> Nanoseconds {
        var loss = hosts[host].link.link.loss
        var parent = hosts[host].parent
        while let router = parent {
            loss += routerLinks[router].link.loss
            parent = routers[router].parent
        }
        guard loss > 0, random.chance(min(loss, 0.9)) else { return .zero }
        return .milliseconds(200) + wayOut(of: host) * 2
    }

    /// Delay from a host to the middle of the internet.
    private func wayOut(of host: Int) -> Nanoseconds {
        var total = hosts[host].link.link.delay
        var parent = hosts[host].parent
        while let router = parent {
            total = total + routerLinks[router].link.delay
            parent = routers[router].parent
        }
        return total
    }
}
