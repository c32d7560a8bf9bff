package import NetTypes

/// A deterministic network for tests: hosts and routers with NATs in a tree below the internet, links
/// with delay, loss and limits of size, relays that deliver by node key, and a clock that moves only
/// when told.
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
package struct SimulatedNetwork: ~Copyable {
    package struct HostID: Hashable, Sendable { let index: Int }
    package struct RouterID: Hashable, Sendable { let index: Int }

    package enum Arrival: Equatable, Sendable {
        case datagram(to: HostID, local: Endpoint, from: Endpoint, payload: [UInt8])
        case relayed(to: HostID, region: Int, from: NodeKey, payload: [UInt8])
        /// The relay says that nobody of this key is connected to it.
        case relayPeerGone(to: HostID, region: Int, NodeKey)
    }

    struct Host {
        var addresses: [IPAddress]
        var parent: Int?
        var link: LinkState
        var isSuspended = false
        var sent = 0
        var received = 0
    }

    /// Where a packet is while it travels.
    enum Place: Hashable {
        /// In the network inside of a router; nil: the internet.
        case segment(Int?)
        case host(Int)
        /// Coming from outside.
        case router(Int)
    }

    struct Packet {
        var source: Endpoint
        var destination: Endpoint
        var payload: [UInt8]
        let sender: Int
        var hops = 0

        /// With IP and UDP header.
        var byteCount: Int { payload.count + (destination.address.isIPv4 ? 28 : 48) }
    }

    enum Event {
        case packet(Packet, at: Place)
        case relay(RelayMessage)
    }

    private struct Location: Hashable {
        let segment: Int?
        let address: IPAddress
    }

    private struct Pair: Hashable {
        let from: Int
        let to: Int
    }

    package internal(set) var now: MonotonicInstant
    var random: SeededRandom
    var hosts: [Host] = []
    var routers: [Router] = []
    var routerLinks: [LinkState] = []
    var queue = EventQueue<Event>()
    var relays = RelayNetwork()
    /// Who has an address within a segment.
    private var neighbours: [Location: Place] = [:]
    /// Packets with more payload than this do not pass from one host to another.
    private var cuts: [Pair: Int] = [:]
    /// Additional delay of packets to an address.
    private var detours: [IPAddress: Nanoseconds] = [:]
    private var losses = [Int](repeating: 0, count: LossReason.allCases.count)
    /// Steps of packets from one link or router to the next.
    package internal(set) var stepCount = 0
    /// When set, what is sent, arrives or is lost is written down in `trace`.
    package var isTracing = false
    package internal(set) var trace: [TraceEntry] = []

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
        routers.append(
            Router(
                behavior, parent: parent?.index, outsideAddresses: outside, random: &random))
        routerLinks.append(LinkState(link))
        let index = routers.count - 1
        for address in outside {
            neighbours[.init(segment: parent?.index, address: address)] = .router(index)
        }
        return RouterID(index: index)
    }

    package mutating func addHost(
        _ addresses: [IPAddress], behind parent: RouterID? = nil, link: Link
    ) -> HostID {
        hosts.append(Host(addresses: [], parent: nil, link: LinkState(link)))
        attach(hosts.count - 1, addresses, behind: parent?.index)
        return HostID(index: hosts.count - 1)
    }

    /// The host roams: other addresses, another router. Its packets on the way are lost, its relay
    /// connections break (`reconnectRelays`).
    package mutating func move(
        _ host: HostID, to addresses: [IPAddress], behind parent: RouterID?, link: Link? = nil
    ) {
        detach(host.index)
        attach(host.index, addresses, behind: parent?.index)
        if let link { hosts[host.index].link = LinkState(link) }
    }

    private mutating func attach(_ index: Int, _ addresses: [IPAddress], behind parent: Int?) {
        hosts[index].addresses = addresses
        hosts[index].parent = parent
        for address in addresses {
            neighbours[Location(segment: parent, address: address)] = .host(index)
            // IPv6 is routed, not translated: every network above knows the way down.
            var below = parent
            while address.isIPv6, let router = below {
                below = routers[router].parent
                neighbours[Location(segment: below, address: address)] = .router(router)
            }
        }
    }

    private mutating func detach(_ index: Int) {
        for address in hosts[index].addresses {
            var place = Place.host(index)
            var segment = hosts[index].parent
            while true {
                let location = Location(segment: segment, address: address)
                if neighbours[location] == place { neighbours[location] = nil }
                guard address.isIPv6, let router = segment else { break }
                place = .router(router)
                segment = routers[router].parent
            }
        }
    }

    package mutating func setBehavior(_ behavior: RouterBehavior, of router: RouterID) {
        routers[router.index].behavior = behavior
    }

    package func behavior(of router: RouterID) -> RouterBehavior { routers[router.index].behavior }

    /// The router loses its mappings and, with `outside`, its addresses.
    package mutating func restart(_ router: RouterID, outside: [IPAddress]? = nil) {
        let index = router.index
        routers[index].reset()
        guard let outside else { return }
        let segment = routers[index].parent
        for address in routers[index].outsideAddresses {
            neighbours[Location(segment: segment, address: address)] = nil
        }
        for address in outside {
            neighbours[Location(segment: segment, address: address)] = .router(index)
        }
        routers[index].outsideAddresses = outside
    }

    package mutating func setLink(_ link: Link, of host: HostID) {
        hosts[host.index].link.link = link
    }

    package mutating func setLink(_ link: Link, of router: RouterID) {
        routerLinks[router.index].link = link
    }

    package func link(of host: HostID) -> Link { hosts[host.index].link.link }
    package func link(of router: RouterID) -> Link { routerLinks[router.index].link }

    /// Lets anybody reach `inside` by the router's outside port, as a port mapping does. False when
    /// the port is taken.
    package mutating func forward(
        _ port: UInt16, to inside: Endpoint, on router: RouterID
    ) -> Bool {
        routers[router.index].forward(port, to: inside)
    }

    package mutating func stopForwarding(_ port: UInt16, on router: RouterID) {
        routers[router.index].stopForwarding(port)
    }

    /// Flows that the router remembers, and outside ports in use.
    package func tableLoad(of router: RouterID) -> (flows: Int, mappings: Int) {
        (routers[router.index].flowCount, routers[router.index].mappingCount)
    }

    // MARK: Trouble

    /// From now on no datagram passes between the two hosts, in either direction; relays are not
    /// concerned.
    package mutating func cut(_ one: HostID, _ other: HostID) {
        cut(from: one, to: other)
        cut(from: other, to: one)
    }

    /// The same in one direction only.
    package mutating func cut(from one: HostID, to other: HostID) {
        cuts[Pair(from: one.index, to: other.index)] = -1
    }

    /// From now on datagrams with more payload than this are lost between the two, without a word to
    /// the sender: a black hole.
    package mutating func limitPayload(from one: HostID, to other: HostID, byteCount: Int) {
        cuts[Pair(from: one.index, to: other.index)] = byteCount
    }

    /// Undoes `cut` and `limitPayload`.
    package mutating func mend(_ one: HostID, _ other: HostID) {
        cuts[Pair(from: one.index, to: other.index)] = nil
        cuts[Pair(from: other.index, to: one.index)] = nil
    }

    /// Packets to this address of a host take so much longer, as by another route of its provider.
    package mutating func setDetour(_ delay: Nanoseconds, to address: IPAddress) {
        detours[address] = delay == .zero ? nil : delay
    }

    /// The host sleeps: what arrives is lost, and its owner fires no timers.
    package mutating func suspend(_ host: HostID) { hosts[host.index].isSuspended = true }
    package mutating func resume(_ host: HostID) { hosts[host.index].isSuspended = false }
    package func isSuspended(_ host: HostID) -> Bool { hosts[host.index].isSuspended }

    /// What the host is behind; nil: it has a public address.
    package func router(of host: HostID) -> RouterID? {
        hosts[host.index].parent.map { RouterID(index: $0) }
    }
    package func addresses(of host: HostID) -> [IPAddress] { hosts[host.index].addresses }
    package func sentCount(of host: HostID) -> Int { hosts[host.index].sent }
    package func receivedCount(of host: HostID) -> Int { hosts[host.index].received }
    package func lostCount(_ reason: LossReason) -> Int { losses[reason.rawValue] }
    /// Datagrams and relayed packets that reached nobody.
    package var lostCount: Int { losses.reduce(0, +) }

    mutating func lose(_ reason: LossReason) { losses[reason.rawValue] += 1 }

    // MARK: Datagrams

    /// Sends a datagram from the host's port, by its first address of the right family, or by
    /// `address`, which must be one of its own.
    package mutating func send(
        _ payload: [UInt8], from host: HostID, port: UInt16, to destination: Endpoint,
        by address: IPAddress? = nil
    ) {
        let index = host.index
        hosts[index].sent += 1
        let isIPv4 = destination.address.isIPv4
        guard
            let address = address ?? hosts[index].addresses.first(where: { $0.isIPv4 == isIPv4 })
        else { return lose(.noRoute) }
        let packet = Packet(
            source: Endpoint(address, port: port), destination: destination, payload: payload,
            sender: index)
        note(.sent, packet)
        guard !hosts[index].isSuspended else { return lose(packet, .suspended) }
        do throws(LossReason) {
            let at = try hosts[index].link.pass(
                .up, byteCount: packet.byteCount, at: now, random: &random)
            queue.insert(.packet(packet, at: .segment(hosts[index].parent)), at: at)
        } catch {
            lose(packet, error)
        }
    }

    /// Time until something happens; nil when nothing is on the way.
    package var nextEventAt: MonotonicInstant? { queue.nextAt }

    /// Moves the clock to the next arrival, or to `limit` when there is none until then.
    package mutating func next(until limit: MonotonicInstant) -> Arrival? {
        while let at = queue.nextAt, at <= limit, let (_, event) = queue.popFirst() {
            now = max(now, at)
            switch event {
            case .packet(var packet, let place):
                stepCount += 1
                do throws(LossReason) {
                    if let arrival = try step(&packet, at: place) { return arrival }
                } catch {
                    lose(packet, error)
                }
            case .relay(let message):
                if let arrival = step(message) { return arrival }
            }
        }
        now = max(now, limit)
        return nil
    }

    private mutating func step(
        _ packet: inout Packet, at place: Place
    ) throws(LossReason) -> Arrival? {
        packet.hops += 1
        guard packet.hops < 32 else { throw .looped }
        switch place {
        case .segment(let segment):
            try forward(packet, within: segment, isFromInside: true)
            return nil
        case .router(let index):
            let (source, destination) = try routers[index].passInbound(
                from: packet.source, to: packet.destination, at: now)
            packet.source = source
            packet.destination = destination
            try forward(packet, within: index, isFromInside: false)
            return nil
        case .host(let index): return try arrive(packet, at: index)
        }
    }

    private mutating func arrive(_ packet: Packet, at index: Int) throws(LossReason) -> Arrival {
        guard hosts[index].addresses.contains(packet.destination.address) else { throw .noRoute }
        if !cuts.isEmpty, let limit = cuts[Pair(from: packet.sender, to: index)],
            packet.payload.count > limit
        {
            throw .cut
        }
        guard !hosts[index].isSuspended else { throw .suspended }
        hosts[index].received += 1
        note(.arrived, packet)
        return .datagram(
            to: HostID(index: index), local: packet.destination, from: packet.source,
            payload: packet.payload)
    }

    /// Moves a packet within a segment to the neighbour that has its destination, or to the way out.
    private mutating func forward(
        _ packet: Packet, within segment: Int?, isFromInside: Bool
    ) throws(LossReason) {
        let location = Location(segment: segment, address: packet.destination.address)
        switch neighbours[location] {
        case .host(let index):
            if isFromInside, let segment, routers[segment].behavior.isolatesHosts {
                throw .filtered
            }
            var at = try hosts[index].link.pass(
                .down, byteCount: packet.byteCount, at: now, random: &random)
            if !detours.isEmpty, let more = detours[packet.destination.address] { at = at + more }
            queue.insert(.packet(packet, at: .host(index)), at: at)
        case .router(let index):
            let at = try routerLinks[index].pass(
                .down, byteCount: packet.byteCount, at: now, random: &random)
            queue.insert(.packet(packet, at: .router(index)), at: at)
        case .segment, nil:
            guard let segment else { throw .noRoute }
            try leave(packet, by: segment)
        }
    }

    private mutating func leave(_ packet: Packet, by index: Int) throws(LossReason) {
        var packet = packet
        let isHairpin =
            packet.destination.address.isIPv4
            && routers[index].outsideAddresses.contains(packet.destination.address)
        guard !isHairpin || routers[index].behavior.hairpins else { throw .noHairpin }
        (packet.source, packet.destination) = try routers[index].passOutbound(
            from: packet.source, to: packet.destination, at: now, random: &random)
        if isHairpin {
            queue.insert(.packet(packet, at: .router(index)), at: now)
            return
        }
        let at = try routerLinks[index].pass(
            .up, byteCount: packet.byteCount, at: now, random: &random)
        queue.insert(.packet(packet, at: .segment(routers[index].parent)), at: at)
    }

    private mutating func lose(_ packet: Packet, _ reason: LossReason) {
        lose(reason)
        note(.lost(reason), packet)
    }

    private mutating func note(_ what: TraceEntry.What, _ packet: Packet) {
        guard isTracing else { return }
        trace.append(
            TraceEntry(
                at: now, what: what, sender: HostID(index: packet.sender), from: packet.source,
                to: packet.destination, payload: packet.payload))
    }
}

/// One line of what happened to datagrams.
package struct TraceEntry: Equatable, Sendable {
    package enum What: Equatable, Sendable {
        case sent, arrived
        case lost(LossReason)
    }
    package var at: MonotonicInstant
    package var what: What
    package var sender: SimulatedNetwork.HostID
    /// As they stand in the packet at that moment.
    package var from: Endpoint
    package var to: Endpoint
    package var payload: [UInt8]
}
