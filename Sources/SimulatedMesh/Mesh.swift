import CryptoPrimitives
import Disco
import NetReport
package import NetTypes
package import PathEngine
import STUN
package import SimulatedNetwork

package func address(_ text: String) -> IPAddress { IPAddress(text)! }

/// Nodes on a simulated network, a relay with two STUN servers, and a control server that hands
/// each node's endpoints to the others after a while.
package final class Mesh {
    package let seed: UInt64
    package var network: SimulatedNetwork
    package var nodes: [SimulatedNode] = []
    package let stunServers: [SimulatedNetwork.HostID]
    package let stunAddresses = [address("198.51.100.1"), address("198.51.100.2")]
    /// Nodes that behave as the official client does: see `OfficialPeer`.
    package var officials: [Int: OfficialPeer] = [:]
    /// What the control server has told and not yet delivered.
    private var pendingNetmaps: [(at: MonotonicInstant, node: Int)] = []
    package var controlDelay = Nanoseconds.milliseconds(60)
    /// Whether the control server passes on endpoints; without it only CallMeMaybe does.
    package var sharesEndpoints = true

    package init(seed: UInt64) {
        self.seed = seed
        network = SimulatedNetwork(seed: seed)
        network.addRelay(region: 1, delay: .milliseconds(2))
        var servers: [SimulatedNetwork.HostID] = []
        for address in stunAddresses {
            servers.append(network.addHost([address], link: .init(delay: .milliseconds(2))))
        }
        stunServers = servers
    }

    package var now: MonotonicInstant { network.now }

    @discardableResult
    package func addNode(_ name: String, on host: SimulatedNetwork.HostID) -> Int {
        let node = SimulatedNode(
            name: name, host: host, seed: seed &* 1_000 &+ UInt64(nodes.count))
        nodes.append(node)
        network.connect(node.nodeKey, on: host, toRelays: [1])
        return nodes.count - 1
    }

    /// Every node learns of every other, its own addresses and the relay map.
    package func start() {
        for index in nodes.indices { configure(index) }
        for index in nodes.indices { tellPeers(of: index) }
        for index in nodes.indices { drain(index) }
    }

    package func configure(_ index: Int) {
        let node = nodes[index]
        setLocalEndpoints(of: index)
        node.report.setRegions([
            RelayRegion(
                id: 1,
                nodes: stunAddresses.map { address in
                    guard case .v4(let address) = address else { preconditionFailure("IPv4") }
                    return RelayRegion.Node(ipv4: address, ipv6: nil)
                })
        ])
        node.report.start(at: now)
        node.homeRelay = 1
    }

    package func setLocalEndpoints(of index: Int) {
        let addresses = network.addresses(of: nodes[index].host)
        nodes[index].paths.setLocalEndpoints(
            addresses.map { Endpoint($0, port: SimulatedNode.port) }, at: now)
    }

    /// The node `index` gets the netmap as it is now.
    package func tellPeers(of index: Int) {
        for (other, peer) in nodes.enumerated() where other != index {
            nodes[index].paths.upsertPeer(
                PathPeer(
                    nodeKey: peer.nodeKey, discoKey: peer.discoKey.publicKey,
                    homeRelay: peer.homeRelay, endpoints: peer.announced),
                index: other, at: now)
        }
    }

    /// The control server tells everybody, after its delay.
    package func spreadNetmap() {
        for index in nodes.indices { pendingNetmaps.append((now + controlDelay, index)) }
    }

    // MARK: Time

    package func run(for duration: Nanoseconds, each body: (() -> Void)? = nil) {
        let end = now + duration
        while now < end {
            var next = end
            for node in nodes { if let due = node.nextDeadline { next = min(next, due) } }
            for official in officials.values { next = min(next, official.nextDeadline) }
            for pending in pendingNetmaps { next = min(next, pending.at) }
            if let arrival = network.next(until: max(next, now)) { receive(arrival) }
            deliverNetmaps()
            for index in nodes.indices {
                nodes[index].paths.handleTimeout(at: now)
                nodes[index].report.handleTimeout(at: now)
                drain(index)
            }
            for index in officials.keys.sorted() { officials[index]?.handleTimeout(self) }
            body?()
        }
    }

    private func deliverNetmaps() {
        let due = pendingNetmaps.filter { $0.at <= now }
        guard !due.isEmpty else { return }
        pendingNetmaps.removeAll { $0.at <= now }
        for index in Set(due.map(\.node)).sorted() { tellPeers(of: index) }
    }

    // MARK: Arrivals

    private func receive(_ arrival: SimulatedNetwork.Arrival) {
        switch arrival {
        case .relayPeerGone(let host, let region, let key):
            guard let index = nodes.firstIndex(where: { $0.host == host }) else { return }
            nodes[index].paths.noteRelayPeerGone(key, region: region)
            drain(index)
        case .datagram(let host, let local, let source, let payload):
            if stunServers.contains(host) {
                if let answer = unsafe STUNServerLogic.response(
                    to: payload.span.bytes, from: source)
                {
                    network.send(answer, from: host, port: local.port, to: source)
                }
                return
            }
            guard let index = nodes.firstIndex(where: { $0.host == host }),
                local.port == SimulatedNode.port
            else { return }
            receive(payload, from: .direct(source), on: index)
        case .relayed(let host, let region, let key, let payload):
            guard let index = nodes.firstIndex(where: { $0.host == host }) else { return }
            receive(payload, from: .relay(region: region, node: key), on: index)
        }
    }

    private func receive(_ payload: [UInt8], from source: PacketSource, on index: Int) {
        if officials[index] != nil {
            officials[index]?.receive(payload, from: source, self)
            return
        }
        let node = nodes[index]
        switch unsafe classify(payload.span.bytes) {
        case .stun: unsafe node.report.handleResponse(payload.span.bytes, at: now)
        case .disco: unsafe node.paths.handleDisco(payload.span.bytes, from: source, at: now)
        case .wireGuard: receiveData(payload, from: source, on: index)
        case .geneve, .unknown: break
        }
        drain(index)
    }

    package func receiveData(_ payload: [UInt8], from source: PacketSource, on index: Int) {
        let node = nodes[index]
        let peer = Int(payload[4])
        let number: UInt32 = unsafe payload.span.bytes.bigEndian(at: 8)
        let isReply = payload[5] == 1
        guard peer < nodes.count else { return }
        node.paths.noteReceived(from: peer, source: source, at: now)
        // What the replay window lets through once.
        guard node.received[peer, default: []].insert(number).inserted else { return }
        if case .direct = source {
            node.directArrivals[peer, default: 0] += 1
        } else {
            node.relayedArrivals[peer, default: 0] += 1
        }
        if let last = node.lastArrival[peer] {
            node.longestSilence[peer] = max(node.longestSilence[peer] ?? .zero, now - last)
        }
        node.lastArrival[peer] = now
        if !isReply, answersData { sendData(from: index, to: peer, isReply: true) }
    }

    package var answersData = true

    // MARK: Sending

    /// One packet of the tunnel.
    package func sendData(from index: Int, to peer: Int, isReply: Bool = false) {
        let node = nodes[index]
        let number = node.sent[peer, default: 0]
        node.sent[peer] = number + 1
        var payload: [UInt8] = [4, 0, 0, 0, UInt8(index), isReply ? 1 : 0, 0, 0]
        payload.appendBigEndian(number)
        payload += [UInt8](repeating: 0, count: 40)
        let route =
            officials[index]?.route(to: peer, self) ?? node.paths.route(for: peer, at: now)
        if route.relayRegion == nil, route.direct != nil, node.directSince[peer] == nil {
            node.directSince[peer] = now
        }
        if let direct = route.direct {
            network.send(payload, from: node.host, port: SimulatedNode.port, to: direct)
        }
        if let region = route.relayRegion {
            network.relay(
                payload, region: region, from: node.nodeKey, on: node.host,
                to: nodes[peer].nodeKey)
        }
        drain(index)
    }

    package func drain(_ index: Int) {
        let node = nodes[index]
        guard officials[index] == nil else { return }
        while let transmit = node.paths.pollTransmit() { send(transmit, from: index) }
        while let transmit = node.report.pollTransmit() {
            network.send(
                transmit.bytes, from: node.host, port: SimulatedNode.port,
                to: transmit.destination)
        }
        while let event = node.report.pollEvent() {
            guard case .report(let report) = event else { continue }
            node.paths.setReflexiveEndpoints(
                report.reflexiveEndpoints,
                mappingVaries: report.mappingVariesByDestination ?? false, at: now)
        }
        while let event = node.paths.pollEvent() {
            node.events.append(event)
            switch event {
            case .ownEndpointsChanged(let endpoints):
                guard sharesEndpoints else { continue }
                node.announced = endpoints.map(\.endpoint)
                spreadNetmap()
            case .freshEndpointsWanted:
                node.report.startQuick(at: now)
            case .pathChanged, .pingAnswered, .pingTimedOut: break
            }
        }
        while let transmit = node.paths.pollTransmit() { send(transmit, from: index) }
        while let transmit = node.report.pollTransmit() {
            network.send(
                transmit.bytes, from: node.host, port: SimulatedNode.port,
                to: transmit.destination)
        }
    }

    package func send(_ transmit: PathTransmit, from index: Int) {
        let node = nodes[index]
        switch transmit.destination {
        case .udp(let endpoint):
            node.discoSent[now.nanoseconds / 1_000_000_000, default: 0] += 1
            node.discoSentTotal += 1
            network.send(transmit.bytes, from: node.host, port: SimulatedNode.port, to: endpoint)
        case .relay(let region, let key):
            network.relay(
                transmit.bytes, region: region, from: node.nodeKey, on: node.host, to: key)
        }
    }

    // MARK: Questions

    package func isDirect(_ one: Int, _ other: Int) -> Bool {
        nodes[one].paths.status(of: other, at: now)?.currentEndpoint != nil
    }

    /// Sends a packet every `interval` and runs, for `duration`.
    package func exchange(
        _ one: Int, _ other: Int, every interval: Nanoseconds, for duration: Nanoseconds
    ) {
        let end = now + duration
        while now < end {
            sendData(from: one, to: other)
            run(for: interval)
        }
    }

    /// Exchanges packets every 10 ms until both sides are direct, at most for `limit`. Returns how
    /// long it took.
    package func timeUntilDirect(_ one: Int, _ other: Int, limit: Nanoseconds) -> Nanoseconds? {
        let start = now
        while now - start < limit {
            sendData(from: one, to: other)
            run(for: .milliseconds(10))
            if isDirect(one, other), isDirect(other, one) { return now - start }
        }
        return nil
    }
}
