import NetTypes
package import SimulatedNetwork

/// What a node of a simulation stands behind: the kinds of the NAT grid.
package enum NATKind: String, CustomStringConvertible, CaseIterable, Sendable {
    case open = "public"
    case fullCone = "full cone"
    case addressRestricted = "address-restricted"
    case portRestricted = "port-restricted"
    case portRestrictedRandom = "port-restricted, random ports"
    case carrier = "carrier over home NAT"
    case addressDependent = "address-dependent"
    case symmetricOpen = "symmetric, open filter"
    case symmetricAddress = "symmetric, address filter"
    case symmetricSequential = "symmetric, sequential"
    case symmetricBlocks = "symmetric, port blocks"
    case symmetric = "symmetric, random"
    case udpBlocked = "UDP blocked"
    case ipv6Only = "IPv6 firewall only"
    case dualStack = "symmetric with IPv6 firewall"
    case nat64 = "NAT64"
    case symmetricMapping = "symmetric, maps ports"

    package var description: String { rawValue }

    // The field's short words.
    package static var easy: Self { .portRestricted }
    package static var hard: Self { .symmetric }
    package static var addressFiltered: Self { .addressRestricted }
    package static var blocked: Self { .udpBlocked }

    /// The NAT nearest to the internet; nil: a host with an address of its own.
    package var behavior: RouterBehavior? {
        var behavior = RouterBehavior.easy
        switch self {
        case .open: return nil
        case .fullCone: behavior.filtering = .endpointIndependent
        case .addressRestricted: behavior.filtering = .addressDependent
        case .portRestricted, .ipv6Only: break
        case .portRestrictedRandom: behavior.allocation = .random
        case .carrier: behavior.allocation = .blocks(of: 512)
        case .addressDependent:
            behavior.mapping = .addressDependent
            behavior.allocation = .random
        case .symmetricOpen:
            behavior = .hard
            behavior.filtering = .endpointIndependent
        case .symmetricAddress:
            behavior = .hard
            behavior.filtering = .addressDependent
        case .symmetricSequential:
            behavior = .hard
            behavior.allocation = .sequential
            behavior.otherMappingsPerSecond = 2
        case .symmetricBlocks:
            behavior = .hard
            behavior.allocation = .blocks(of: 512)
        case .symmetric, .dualStack, .symmetricMapping: behavior = .hard
        case .udpBlocked: behavior.blocksUDP = true
        case .nat64:
            behavior.filtering = .addressDependent
            behavior.allocation = .random
            behavior.nat64Prefix = Self.wellKnownPrefix
        }
        return behavior
    }

    /// The router's address within, where it maps ports.
    static func gateway(of index: Int) -> IPAddress {
        .v4(IPv4Address(bits: 0xC0A8_0101 + UInt32(index) << 8))
    }

    /// 64:ff9b::/96 (RFC 6052).
    static var wellKnownPrefix: IPv6Address { IPv6Address(high: 0x0064_FF9B_0000_0000, low: 0) }

    /// Whether the router forwards a port when it is asked by NAT-PMP.
    var mapsPorts: Bool { self == .symmetricMapping }

    var hasIPv4: Bool { self != .ipv6Only && self != .nat64 }
    var hasIPv6: Bool { self == .ipv6Only || self == .nat64 || self == .dualStack }

    /// One line for the legend of the grid.
    package var legend: String {
        switch self {
        case .open: "an IPv4 address of its own, nothing in between"
        case .fullCone: "EIM/EIF, preserving: anybody may send to the one outside port"
        case .addressRestricted: "EIM/ADF, preserving: whoever has been sent to, from any port"
        case .portRestricted: "EIM/APDF, preserving: most home routers, Linux masquerade (\"easy\")"
        case .portRestrictedRandom: "EIM/APDF, any outside port"
        case .carrier:
            "port-restricted at home, behind a carrier's NAT: EIM/APDF, blocks of 512 ports"
        case .addressDependent: "ADM/APDF, random: a port for each remote address"
        case .symmetricOpen: "APDM/EIF, random: a port for each remote, open to anybody"
        case .symmetricAddress: "APDM/ADF, random"
        case .symmetricSequential:
            "APDM/APDF, the next port each time; others take two a second on average"
        case .symmetricBlocks: "APDM/APDF, a random one of the 512 ports that belong to the host"
        case .symmetric: "APDM/APDF, random: masquerade fully-random (\"hard\")"
        case .udpBlocked: "no UDP passes; relays by TCP"
        case .ipv6Only: "no IPv4; a stateful IPv6 firewall (APDF)"
        case .dualStack: "IPv4 as \"symmetric, random\", and IPv6 as \"IPv6 firewall only\""
        case .nat64:
            "as \"IPv6 firewall only\", and IPv4 through NAT64 (EIM/ADF, random; RFC 6146)"
        case .symmetricMapping:
            "as \"symmetric, random\", and the router forwards a port when asked by NAT-PMP"
        }
    }
}

extension Mesh {
    /// Nodes of these kinds, each 10–40 ms from the middle.
    package convenience init(seed: UInt64, _ kinds: [NATKind], loss: Double = 0) {
        self.init(seed: seed)
        var random = SeededRandom(seed: seed ^ 0x70F0)
        for kind in kinds { addNode(kind, random: &random, loss: loss) }
    }

    /// A node behind a router of its own, at a distance that is drawn.
    @discardableResult
    package func addNode(
        _ kind: NATKind, random: inout SeededRandom, loss: Double = 0
    ) -> Int {
        let index = nodes.count
        let delay = Nanoseconds.milliseconds(Int64(5 + random.below(16)))
        let way = SimulatedNetwork.Link(
            delay: delay, jitter: .milliseconds(1 + Int64(random.below(3))), loss: loss)
        let host = addHost(of: kind, index: index, way)
        addNode("\(index): \(kind)", on: host)
        if kind.mapsPorts { nodes[index].gateway = NATKind.gateway(of: index) }
        if kind == .nat64 { nodes[index].nat64Prefix = NATKind.wellKnownPrefix }
        return index
    }

    package func addHost(
        of kind: NATKind, index: Int, _ way: SimulatedNetwork.Link
    ) -> SimulatedNetwork.HostID {
        let number = UInt32(index)
        let outside = IPAddress.v4(IPv4Address(bits: 0xCB00_7101 + number))
        let lan = SimulatedNetwork.Link(delay: .microseconds(500))
        var inside: [IPAddress] = []
        if kind.hasIPv4 { inside.append(.v4(IPv4Address(bits: 0xC0A8_0102 + number << 8))) }
        if kind.hasIPv6 {
            inside.append(.v6(IPv6Address(high: 0x2001_0DB8_0000_0000 + UInt64(number), low: 2)))
        }
        guard let behavior = kind.behavior else {
            return network.addHost([outside], link: way)
        }
        let router = network.addRouter(behavior, outside: [outside], link: way)
        if kind.mapsPorts, case .v4(let external) = outside {
            addGateway(to: router, inside: NATKind.gateway(of: index), external: external)
        }
        guard kind == .carrier else {
            return network.addHost(inside, behind: router, link: lan)
        }
        let home = network.addRouter(
            .easy, outside: [.v4(IPv4Address(bits: 0x6440_0002 + number << 8))], behind: router,
            link: SimulatedNetwork.Link(delay: .milliseconds(2)))
        return network.addHost(inside, behind: home, link: lan)
    }
}
