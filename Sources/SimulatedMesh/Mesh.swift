import CryptoPrimitives
import NetReport
package import NetTypes
import PathEngine
import PeerRelay
import PortMapping
package import SimulatedNetwork

package func address(_ text: String) -> IPAddress {
    guard let address = IPAddress(text) else { preconditionFailure("no address: \(text)") }
    return address
}

/// Nodes on a simulated network, a relay, STUN servers, and a control server that hands each node's
/// endpoints to the others after a while.
///
/// The nodes run the real engines. Add hosts to `network` and nodes to hosts (`addNode`), `start`,
/// then `sendData` and `run`; everything follows from the seed.
package final class Mesh {
    package let seed: UInt64
    package var network: SimulatedNetwork
    package var nodes: [SimulatedNode] = []
    /// One machine with two addresses of each family; all its ports answer.
    package let stunServer: SimulatedNetwork.HostID
    package let stunAddresses = [address("198.51.100.1"), address("198.51.100.2")]
    package let stunIPv6Addresses = [address("2001:db8:5::1"), address("2001:db8:5::2")]
    /// Nodes that behave as the official client does: see `OfficialPeer`.
    package var officials: [Int: OfficialPeer] = [:]
    package var controlDelay = Nanoseconds.milliseconds(60)
    /// Whether the control server passes on endpoints; without it only CallMeMaybe does.
    package var sharesEndpoints = true
    /// Whether nodes ask STUN servers every 20 to 26 s, as the daemon does.
    package var refreshesReports = false
    /// Whether the control server tells a node only of peers that it has been told of before
    /// (`introduce`), instead of all.
    package var tellsOnNeed = false
    /// Whether STUN servers answer from and to other ports where that is asked for (RFC 5780).
    package var answersFromElsewhere = true
    /// Nodes that relay UDP for all others: see `PeerRelaying`.
    package internal(set) var peerRelays: Set<Int> = []
    var roamCount = 0
    var relayCount: UInt64 = 0
    var gateways: [SimulatedNetwork.HostID: Gateway] = [:]
    /// Whether the tunnel's packets wait for a handshake.
    package var handshakes = false
    /// Whether each packet is answered by one.
    package var answersData = true
    /// The size of the tunnel's packets, as datagrams, and of the answers to them.
    package var dataByteCount = 52
    package var answerByteCount = 52

    private enum Timer {
        case node(Int)
        case netmap(Int)
        case action((Mesh) -> Void)
    }
    private var timers = EventQueue<Timer>()
    private var nodesByHost: [SimulatedNetwork.HostID: Int] = [:]

    package init(seed: UInt64) {
        self.seed = seed
        network = SimulatedNetwork(seed: seed)
        network.addRelay(region: 1, delay: .milliseconds(2))
        stunServer = network.addHost(
            stunAddresses + stunIPv6Addresses, link: .init(delay: .milliseconds(2)))
    }

    package var now: MonotonicInstant { network.now }

    @discardableResult
    package func addNode(_ name: String, on host: SimulatedNetwork.HostID) -> Int {
        let node = SimulatedNode(
            name: name, host: host, seed: seed &* 1_000 &+ UInt64(nodes.count))
        nodes.append(node)
        nodesByHost[host] = nodes.count - 1
        network.connect(node.nodeKey, on: host, toRelays: [1])
        return nodes.count - 1
    }

    package func node(on host: SimulatedNetwork.HostID) -> Int? { nodesByHost[host] }

    /// Every node learns of every other, its own addresses and the relay map.
    package func start() {
        for index in nodes.indices { configure(index) }
        if !tellsOnNeed { for index in nodes.indices { tellPeers(of: index) } }
        for index in nodes.indices { drain(index) }
    }

    /// Both nodes are told of each other.
    package func introduce(_ one: Int, _ other: Int) {
        tell(one, of: other)
        tell(other, of: one)
        drain(one)
        drain(other)
    }

    package func configure(_ index: Int) {
        let node = nodes[index]
        setLocalEndpoints(of: index)
        node.report.setRegions([
            RelayRegion(
                id: 1,
                nodes: zip(stunAddresses, stunIPv6Addresses).map { ipv4, ipv6 in
                    guard case (.v4(let ipv4), .v6(let ipv6)) = (ipv4, ipv6) else {
                        preconditionFailure("one of each family")
                    }
                    return RelayRegion.Node(ipv4: ipv4, ipv6: ipv6)
                })
        ])
        node.paths.setSTUNServers(stunAddresses.map { Endpoint($0, port: 3_478) })
        let families = network.addresses(of: node.host)
        let hasIPv4 = families.contains(where: \.isIPv4) || node.nat64Prefix != nil
        let hasIPv6 = families.contains(where: \.isIPv6)
        node.report.setAddressFamilies(
            hasIPv4 ? (hasIPv6 ? [.ipv4, .ipv6] : .ipv4) : (hasIPv6 ? .ipv6 : []))
        if refreshesReports { node.report.startRefreshing(at: now) }
        node.report.start(at: now)
        askGateway(of: index)
        node.homeRelay = 1
    }

    package func setLocalEndpoints(of index: Int) {
        let addresses = network.addresses(of: nodes[index].host)
        nodes[index].paths.setLocalEndpoints(
            addresses.map { Endpoint($0, port: SimulatedNode.port) }, at: now)
    }

    /// The node `index` gets the netmap as it is now.
    package func tellPeers(of index: Int) {
        for other in nodes.indices where other != index { tell(index, of: other) }
    }

    /// The node `index` gets what the control server knows of `other`.
    package func tell(_ index: Int, of other: Int) {
        let peer = nodes[other]
        nodes[index].paths.upsertPeer(
            PathPeer(
                nodeKey: peer.nodeKey, discoKey: peer.discoKey.publicKey,
                homeRelay: peer.homeRelay, endpoints: peer.announced,
                relayRoles: relayRoles(of: other, for: index)),
            index: other, at: now)
    }

    /// The control server tells everybody about everybody, after its delay.
    package func spreadNetmap() {
        for other in nodes.indices { spread(other) }
    }

    /// The control server tells everybody about one node, after its delay.
    package func spread(_ other: Int) {
        timers.insert(.netmap(other), at: now + controlDelay)
    }

    // MARK: Time

    /// Runs `action` once when the clock has moved on by `delay`.
    package func after(_ delay: Nanoseconds, _ action: @escaping (Mesh) -> Void) {
        timers.insert(.action(action), at: now + delay)
    }

    /// Runs `action` every `interval`, for `duration`.
    package func every(
        _ interval: Nanoseconds, for duration: Nanoseconds, _ action: @escaping (Mesh) -> Void
    ) {
        repeatUntil(now + duration, every: interval, action)
    }

    private func repeatUntil(
        _ end: MonotonicInstant, every interval: Nanoseconds, _ action: @escaping (Mesh) -> Void
    ) {
        guard now < end else { return }
        action(self)
        after(interval) { $0.repeatUntil(end, every: interval, action) }
    }

    /// Lets the clock move on. `body` is called after each thing that happens.
    package func run(for duration: Nanoseconds, each body: (() -> Void)? = nil) {
        let end = now + duration
        for index in nodes.indices { setTimer(of: index) }
        while now < end {
            var next = earliest(end, timers.nextAt) ?? end
            for official in officials.values { next = min(next, official.nextDeadline) }
            if let arrival = network.next(until: max(next, now)) { receive(arrival) }
            fireTimers()
            for index in officials.keys.sorted() { officials[index]?.handleTimeout(self) }
            body?()
        }
    }

    private func fireTimers() {
        while let at = timers.nextAt, at <= now, let (_, timer) = timers.popFirst() {
            switch timer {
            case .action(let action): action(self)
            case .netmap(let other): deliverNetmap(of: other)
            case .node(let index): fire(index, setFor: at)
            }
        }
    }

    private func deliverNetmap(of other: Int) {
        for index in nodes.indices
        where index != other && !network.isSuspended(nodes[index].host) {
            let isKnown = !tellsOnNeed || nodes[index].paths.index(of: nodes[other].nodeKey) != nil
            guard isKnown else { continue }
            tell(index, of: other)
            drain(index)
        }
    }

    private func fire(_ index: Int, setFor at: MonotonicInstant) {
        let node = nodes[index]
        // One that has been set anew since.
        guard node.timerAt == at else { return }
        node.timerAt = nil
        guard !network.isSuspended(node.host) else { return }
        node.wakeUpCount += 1
        node.paths.handleTimeout(at: now)
        node.report.handleTimeout(at: now)
        node.portMapping.handleTimeout(at: now)
        node.peerRelay?.server.handleTimeout(at: now)
        retryHandshakes(of: index)
        drain(index)
    }

    /// Sets the node's timer to its deadline. One that is due although it has just been served fires
    /// a millisecond later, as a kernel's would.
    func setTimer(of index: Int) {
        let node = nodes[index]
        guard var due = node.nextDeadline, !network.isSuspended(node.host) else {
            node.timerAt = nil
            return
        }
        if due <= now { due = now + .milliseconds(1) }
        guard node.timerAt != due else { return }
        node.timerAt = due
        timers.insert(.node(index), at: due)
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
