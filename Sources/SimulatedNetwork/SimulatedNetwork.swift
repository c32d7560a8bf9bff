package import NetTypes

/// A deterministic network for tests: hosts and routers with NATs in a tree below the internet, links
/// with delay and loss, relays that deliver by node key, and a clock that moves only when told.
///
/// Everything that happens follows from the seed and the calls. Datagrams are values; nothing is
/// real. Add routers and hosts, `send` from hosts, and take what arrives from `next(until:)`.
///
///     internet ── router ── router ── host
///         │          └───── host
///         └── host
///
/// Hosts and routers that hang on the same router (or the internet) are neighbours and reach each
/// other without passing it.
package struct SimulatedNetwork {
    package struct HostID: Hashable, Sendable { let index: Int }
    package struct RouterID: Hashable, Sendable { let index: Int }

    /// The way between a host or router and what it hangs on.
    package struct Link: Equatable, Sendable {
        package var delay: Nanoseconds
        /// Added to the delay, evenly from 0 to this.
        package var jitter: Nanoseconds
        /// Share of the packets lost, 0...1.
        package var loss: Double
        package var isUp = true

        package init(
            delay: Nanoseconds, jitter: Nanoseconds = .zero, loss: Double = 0
        ) {
            self.delay = delay
            self.jitter = jitter
            self.loss = loss
        }
    }

    package enum Arrival: Equatable, Sendable {
        case datagram(to: HostID, local: Endpoint, from: Endpoint, payload: [UInt8])
        case relayed(to: HostID, region: Int, from: NodeKey, payload: [UInt8])
    }

    struct Host {
        var addresses: [IPAddress]
        var parent: Int?
        var link: Link
        var sent = 0
        var received = 0
    }

    /// Where a packet is while it travels.
    enum Place: Hashable {
        case host(Int)
        /// Coming from outside.
        case router(Int)
        /// Coming from inside, on its way to the parent.
        case gateway(Int)
    }

    struct Packet {
        var source: Endpoint
        var destination: Endpoint
        var payload: [UInt8]
        let sender: Int
        var hops = 0
    }

    enum Event {
        case packet(Packet, at: Place)
        case relayed(to: NodeKey, region: Int, from: NodeKey, payload: [UInt8])
    }

    package private(set) var now: MonotonicInstant
    var random: SeededRandom
    var hosts: [Host] = []
    var routers: [Router] = []
    var routerLinks: [Link] = []
    var queue = EventQueue<Event>()
    private var relayDelays: [Int: Nanoseconds] = [:]
    private var relayClients: [NodeKey: (host: Int, regions: Set<Int>)] = [:]
    private var cutPairs: Set<[Int]> = []
    /// Datagrams that reached no host.
    package private(set) var lostCount = 0

    /// The clock starts at one hour, so that durations can be subtracted.
    package init(seed: UInt64) {
        random = SeededRandom(seed: seed)
        now = MonotonicInstant(nanoseconds: 0) + .minutes(60)
    }

    // MARK: Topology

    package mutating func addRouter(
        _ behavior: RouterBehavior, outside: [IPAddress], behind parent: RouterID? = nil,
        link: Link = Link(delay: .zero)
    ) -> RouterID {
        routers.append(Router(behavior, parent: parent?.index, outsideAddresses: outside))
        routerLinks.append(link)
        return RouterID(index: routers.count - 1)
    }

    package mutating func addHost(
        _ addresses: [IPAddress], behind parent: RouterID? = nil, link: Link
    ) -> HostID {
        hosts.append(Host(addresses: addresses, parent: parent?.index, link: link))
        return HostID(index: hosts.count - 1)
    }

    /// The host roams: other addresses, another router. Its packets on the way are lost.
    package mutating func move(
        _ host: HostID, to addresses: [IPAddress], behind parent: RouterID?
    ) {
        hosts[host.index].addresses = addresses
        hosts[host.index].parent = parent?.index
    }

    package mutating func setBehavior(_ behavior: RouterBehavior, of router: RouterID) {
        routers[router.index].behavior = behavior
    }

    /// The router loses its mappings and, with `outside`, its addresses.
    package mutating func restart(_ router: RouterID, outside: [IPAddress]? = nil) {
        routers[router.index].reset()
        if let outside { routers[router.index].outsideAddresses = outside }
    }

    package mutating func setLink(_ link: Link, of host: HostID) {
        hosts[host.index].link = link
    }

    /// From now on no datagram passes between the two hosts, in either direction; relays are not
    /// concerned.
    package mutating func cut(_ one: HostID, _ other: HostID) {
        cutPairs.insert([one.index, other.index])
        cutPairs.insert([other.index, one.index])
    }

    /// The same in one direction only.
    package mutating func cut(from one: HostID, to other: HostID) {
        cutPairs.insert([one.index, other.index])
    }

    package mutating func mend(_ one: HostID, _ other: HostID) {
        cutPairs.remove([one.index, other.index])
        cutPairs.remove([other.index, one.index])
    }

    package func addresses(of host: HostID) -> [IPAddress] { hosts[host.index].addresses }
    package func sentCount(of host: HostID) -> Int { hosts[host.index].sent }
    package func receivedCount(of host: HostID) -> Int { hosts[host.index].received }

    // MARK: Datagrams

    /// Sends a datagram from the host's port, by the address of the right family.
    package mutating func send(
        _ payload: [UInt8], from host: HostID, port: UInt16, to destination: Endpoint
    ) {
        hosts[host.index].sent += 1
        let isIPv4 = destination.address.isIPv4
        guard let address = hosts[host.index].addresses.first(where: { $0.isIPv4 == isIPv4 }) else {
            lostCount += 1
            return
        }
        let packet = Packet(
            source: Endpoint(address, port: port), destination: destination, payload: payload,
            sender: host.index)
        guard let delay = pass(hosts[host.index].link) else { return }
        forward(packet, within: hosts[host.index].parent, after: delay)
    }

    /// Time until something happens; nil when nothing is on the way.
    package var nextEventAt: MonotonicInstant? { queue.nextAt }

    /// Moves the clock to the next arrival, or to `limit` when there is none until then.
    package mutating func next(until limit: MonotonicInstant) -> Arrival? {
        while let at = queue.nextAt, at <= limit, let (_, event) = queue.popFirst() {
            now = max(now, at)
            switch event {
            case .packet(let packet, let place):
                if let arrival = step(packet, at: place) { return arrival }
            case .relayed(let key, let region, let from, let payload):
                guard let client = relayClients[key], client.regions.contains(region),
                    hosts[client.host].link.isUp
                else {
                    lostCount += 1
                    continue
                }
                return .relayed(
                    to: HostID(index: client.host), region: region, from: from, payload: payload)
            }
        }
        now = max(now, limit)
        return nil
    }

    private mutating func step(_ packet: Packet, at place: Place) -> Arrival? {
        var packet = packet
        packet.hops += 1
        guard packet.hops < 16 else { return lose() }
        switch place {
        case .host(let index):
            guard hosts[index].addresses.contains(packet.destination.address),
                !cutPairs.contains([packet.sender, index])
            else { return lose() }
            hosts[index].received += 1
            return .datagram(
                to: HostID(index: index), local: packet.destination, from: packet.source,
                payload: packet.payload)
        case .gateway(let index):
            return leave(packet, by: index)
        case .router(let index):
            let inside = routers[index].translateInbound(
                from: packet.source, to: packet.destination, at: now)
            guard let inside else { return lose() }
            packet.destination = inside
            forward(packet, within: index, after: .zero)
            return nil
        }
    }

    private mutating func leave(_ packet: Packet, by index: Int) -> Arrival? {
        var packet = packet
        let isHairpin = routers[index].outsideAddresses.contains(packet.destination.address)
        guard !isHairpin || routers[index].behavior.hairpins,
            let source = routers[index].translateOutbound(
                from: packet.source, to: packet.destination, at: now, random: &random),
            let delay = pass(routerLinks[index])
        else { return lose() }
        packet.source = source
        if isHairpin {
            queue.insert(.packet(packet, at: .router(index)), at: now)
        } else {
            forward(packet, within: routers[index].parent, after: delay)
        }
        return nil
    }

    /// Moves a packet within the network inside of a router (nil: the internet) to the neighbour
    /// that has its destination, or to the way out.
    private mutating func forward(
        _ packet: Packet, within parent: Int?, after delay: Nanoseconds
    ) {
        let target = packet.destination.address
        var total = delay
        if let index = hosts.firstIndex(where: {
            $0.parent == parent && $0.addresses.contains(target)
        }) {
            guard let more = pass(hosts[index].link) else { return }
            queue.insert(.packet(packet, at: .host(index)), at: now + total + more)
        } else if let index = routers.indices.first(where: {
            routers[$0].parent == parent && leads(to: target, router: $0)
        }) {
            guard let more = pass(routerLinks[index]) else { return }
            queue.insert(.packet(packet, at: .router(index)), at: now + total + more)
        } else if let parent {
            total = total + .microseconds(50)
            queue.insert(.packet(packet, at: .gateway(parent)), at: now + total)
        } else {
            lostCount += 1
        }
    }

    /// The router has the address, or somebody behind it has the (IPv6) address untranslated.
    private func leads(to target: IPAddress, router index: Int) -> Bool {
        if routers[index].outsideAddresses.contains(target) { return true }
        guard target.isIPv6 else { return false }
        return hosts.contains { $0.parent == index && $0.addresses.contains(target) }
            || routers.indices.contains {
                routers[$0].parent == index && leads(to: target, router: $0)
            }
    }

    /// The delay of a link for one packet; nil when it is lost there.
    private mutating func pass(_ link: Link) -> Nanoseconds? {
        guard link.isUp, link.loss == 0 || !random.chance(link.loss) else {
            lostCount += 1
            return nil
        }
        let jitter = link.jitter.count == 0 ? 0 : Int64(random.below(Int(link.jitter.count)))
        return link.delay + Nanoseconds(count: jitter)
    }

    private mutating func lose() -> Arrival? {
        lostCount += 1
        return nil
    }

    // MARK: Relays

    /// A relay at this distance from the middle of the internet.
    package mutating func addRelay(region: Int, delay: Nanoseconds) { relayDelays[region] = delay }

    /// The node with `key` is connected, from `host`, to these regions and no others.
    package mutating func connect(_ key: NodeKey, on host: HostID, toRelays regions: Set<Int>) {
        relayClients[key] = (host.index, regions)
    }

    /// Sends by relay, which loses nothing. A sender needs no connection of its own here; it is made
    /// on demand. Unknown receivers are lost.
    package mutating func relay(
        _ payload: [UInt8], region: Int, from sender: NodeKey, on host: HostID, to key: NodeKey
    ) {
        guard let delay = relayDelays[region], let client = relayClients[key],
            hosts[host.index].link.isUp
        else {
            lostCount += 1
            return
        }
        let total =
            wayOut(of: host.index) + delay + delay + wayOut(of: client.host) + .microseconds(100)
        queue.insert(
            .relayed(to: key, region: region, from: sender, payload: payload), at: now + total)
    }

    /// Delay from a host to the middle of the internet.
    private func wayOut(of host: Int) -> Nanoseconds {
        var total = hosts[host].link.delay
        var parent = hosts[host].parent
        while let router = parent {
            total = total + routerLinks[router].delay
            parent = routers[router].parent
        }
        return total
    }
}
