import NetTypes

/// A router: a NAT for IPv4, a firewall for IPv6, a NAT64 between them.
struct Router {
    var behavior: RouterBehavior
    /// Where its outside is attached; nil: the internet.
    let parent: Int?
    var outsideAddresses: [IPAddress]
    private var nat = FlowTable()
    private var firewall = FlowTable()
    private var ports: PortAllocator
    /// Inside endpoints that anybody reaches by this outside port.
    private var forwards: [UInt16: Endpoint] = [:]
    /// Remotes that have come in by a forwarded port are answered from it.
    private var answers: [Pair: UInt16] = [:]

    private struct Pair: Hashable {
        let inside: Endpoint
        let remote: Endpoint
    }

    init(
        _ behavior: RouterBehavior, parent: Int?, outsideAddresses: [IPAddress],
        random: inout SeededRandom
    ) {
        self.behavior = behavior
        self.parent = parent
        self.outsideAddresses = outsideAddresses
        ports = PortAllocator(random: &random)
    }

    /// Flows of both families.
    var flowCount: Int { nat.flowCount + firewall.flowCount }
    var mappingCount: Int { nat.mappingCount }

    // MARK: Outwards

    /// A packet leaves. Returns its source and destination as the outside sees them.
    mutating func passOutbound(
        from source: Endpoint, to destination: Endpoint, at now: MonotonicInstant,
        random: inout SeededRandom
    ) throws(LossReason) -> (source: Endpoint, destination: Endpoint) {
        guard !behavior.blocksUDP else { throw .udpBlocked }
        guard case .v6(let target) = destination.address else {
            let outside = try translate(source, to: destination, at: now, random: &random)
            return (outside, destination)
        }
        if let prefix = behavior.nat64Prefix, let address = embeddedIPv4(target, prefix) {
            let remote = Endpoint(.v4(address), port: destination.port)
            let outside = try translate(source, to: remote, at: now, random: &random)
            return (outside, remote)
        }
        if let filtering = behavior.ipv6Filtering {
            firewall.expire(before: now - behavior.mappingLifetime)
            let key = FlowTable.MappingKey(inside: source, scope: .any)
            let scope = FlowTable.Scope(filtering, destination)
            if !firewall.hasFlow(of: key, filter: scope) {
                try Self.makeRoom(in: &firewall, behavior)
            }
            firewall.noteOutbound(key, outside: source, filter: scope, at: now)
        }
        return (source, destination)
    }

    private mutating func translate(
        _ source: Endpoint, to remote: Endpoint, at now: MonotonicInstant,
        random: inout SeededRandom
    ) throws(LossReason) -> Endpoint {
        guard let address = outsideAddresses.first(where: \.isIPv4) else { throw .noRoute }
        if let port = answers[Pair(inside: source, remote: remote)] {
            return Endpoint(address, port: port)
        }
        nat.expire(before: now - behavior.mappingLifetime)
        let key = FlowTable.MappingKey(
            inside: source, scope: FlowTable.Scope(behavior.mapping, remote))
        let scope = FlowTable.Scope(behavior.filtering, remote)
        if !nat.hasFlow(of: key, filter: scope) { try Self.makeRoom(in: &nat, behavior) }
        let outside: Endpoint
        if let known = nat.outside(of: key) {
            outside = known
        } else {
            let port = ports.allocate(
                for: source, by: behavior,
                former: behavior.changesPortOnExpiry ? nat.formerPorts[key] : nil, at: now,
                random: &random
            ) { [nat, forwards] in nat.isFree(Endpoint(address, port: $0)) && forwards[$0] == nil }
            guard let port else { throw .tableFull }
            outside = Endpoint(address, port: port)
        }
        nat.noteOutbound(key, outside: outside, filter: scope, at: now)
        return outside
    }

    private static func makeRoom(
        in table: inout FlowTable, _ behavior: RouterBehavior
    ) throws(LossReason) {
        guard let capacity = behavior.tableCapacity, table.flowCount >= capacity else { return }
        switch behavior.tableOverflow {
        case .refuse: throw .tableFull
        case .forgetOldest: table.forgetOldest()
        }
    }

    // MARK: Inwards

    /// A packet comes from outside. Returns its source and destination as the inside sees them.
    mutating func passInbound(
        from source: Endpoint, to destination: Endpoint, at now: MonotonicInstant
    ) throws(LossReason) -> (source: Endpoint, destination: Endpoint) {
        guard !behavior.blocksUDP else { throw .udpBlocked }
        let limit = now - behavior.mappingLifetime
        guard destination.address.isIPv4 else {
            guard let filtering = behavior.ipv6Filtering else { return (source, destination) }
            firewall.expire(before: limit)
            let inside = firewall.admit(
                to: destination, filter: FlowTable.Scope(filtering, source),
                refreshes: behavior.inboundRefreshes, at: now)
            guard inside != nil else { throw .filtered }
            return (source, destination)
        }
        if let inside = forwards[destination.port] {
            answers[Pair(inside: inside, remote: source)] = destination.port
            return (source, inside)
        }
        nat.expire(before: limit)
        let inside = nat.admit(
            to: destination, filter: FlowTable.Scope(behavior.filtering, source),
            refreshes: behavior.inboundRefreshes, at: now)
        guard let inside else { throw .filtered }
        guard inside.address.isIPv6, case .v4(let address) = source.address,
            let prefix = behavior.nat64Prefix
        else { return (source, inside) }
        let embedded = IPv6Address(high: prefix.high, low: prefix.low | UInt64(address.bits))
        return (Endpoint(.v6(embedded), port: source.port), inside)
    }

    private func embeddedIPv4(_ address: IPv6Address, _ prefix: IPv6Address) -> IPv4Address? {
        guard address.high == prefix.high, address.low >> 32 == prefix.low >> 32 else { return nil }
        return IPv4Address(bits: UInt32(truncatingIfNeeded: address.low))
    }

    // MARK: Administration

    /// Lets anybody reach `inside` by the outside port, as port mapping protocols ask for. False
    /// when the port is taken.
    mutating func forward(_ port: UInt16, to inside: Endpoint) -> Bool {
        if let known = forwards[port] { return known == inside }
        guard let address = outsideAddresses.first(where: \.isIPv4),
            nat.isFree(Endpoint(address, port: port))
        else { return false }
        forwards[port] = inside
        return true
    }

    mutating func stopForwarding(_ port: UInt16) {
        guard let inside = forwards.removeValue(forKey: port) else { return }
        answers = answers.filter { $0.key.inside != inside }
    }

    /// Forgets everything, as after a power cut.
    mutating func reset() {
        nat = FlowTable()
        firewall = FlowTable()
        forwards = [:]
        answers = [:]
    }
}
