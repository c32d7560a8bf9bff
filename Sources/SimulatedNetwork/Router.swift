package import NetTypes

/// How a router treats what passes it, in the terms of RFC 4787.
package struct RouterBehavior: Equatable, Sendable {
    package enum Dependence: Sendable, CaseIterable {
        case endpointIndependent, addressDependent, addressAndPortDependent
    }
    package enum PortAllocation: Sendable, CaseIterable {
        /// The inside port where it is free.
        case preserving
        case sequential
        case random
    }

    /// Which destinations share one external port (§4.1).
    package var mapping = Dependence.endpointIndependent
    /// Who may send in through a mapping (§5). Also how IPv6, which is not translated, is filtered.
    package var filtering = Dependence.addressAndPortDependent
    package var allocation = PortAllocation.preserving
    /// Inside hosts reach each other by their outside endpoints (§6).
    package var hairpins = false
    /// A mapping without packets lives this long (§4.3).
    package var mappingLifetime = Nanoseconds.minutes(2)
    /// Packets from outside renew a mapping, too.
    package var inboundRefreshes = true
    package var blocksUDP = false

    package init() {}

    /// What most home routers do: one port for all, filtered by address and port.
    package static var easy: Self { Self() }
    /// A port of its own for each destination.
    package static var hard: Self {
        var behavior = Self()
        behavior.mapping = .addressAndPortDependent
        behavior.allocation = .random
        return behavior
    }
    /// One port for all, filtered by address only.
    package static var addressFiltered: Self {
        var behavior = Self()
        behavior.filtering = .addressDependent
        return behavior
    }
    package static var udpBlocked: Self {
        var behavior = Self()
        behavior.blocksUDP = true
        return behavior
    }
}

/// A router's state: mappings for IPv4, flows for IPv6.
struct Router {
    struct Mapping {
        let inside: Endpoint
        /// The destination the mapping is for, as far as it depends on it.
        let scope: Scope
        let outside: Endpoint
        var lastUsedAt: MonotonicInstant
        /// Destinations sent to: what filtering lets in.
        var peers: [Endpoint]
    }

    enum Scope: Equatable {
        case any
        case address(IPAddress)
        case endpoint(Endpoint)

        init(_ dependence: RouterBehavior.Dependence, _ endpoint: Endpoint) {
            self =
                switch dependence {
                case .endpointIndependent: .any
                case .addressDependent: .address(endpoint.address)
                case .addressAndPortDependent: .endpoint(endpoint)
                }
        }
    }

    var behavior: RouterBehavior
    /// Where its outside is attached; nil: the internet.
    let parent: Int?
    var outsideAddresses: [IPAddress]
    private(set) var mappings: [Mapping] = []
    private var nextPort: UInt16 = 20_000

    init(_ behavior: RouterBehavior, parent: Int?, outsideAddresses: [IPAddress]) {
        self.behavior = behavior
        self.parent = parent
        self.outsideAddresses = outsideAddresses
    }

    /// A packet leaves. Returns its source as the outside sees it; nil when it is dropped.
    mutating func translateOutbound(
        from source: Endpoint, to destination: Endpoint, at now: MonotonicInstant,
        random: inout SeededRandom
    ) -> Endpoint? {
        guard !behavior.blocksUDP else { return nil }
        expire(at: now)
        let isTranslated = source.address.isIPv4
        let scope = Scope(
            isTranslated ? behavior.mapping : .endpointIndependent, destination)
        if let index = mappings.firstIndex(where: { $0.inside == source && $0.scope == scope }) {
            mappings[index].lastUsedAt = now
            if !mappings[index].peers.contains(destination) {
                mappings[index].peers.append(destination)
            }
            return mappings[index].outside
        }
        var outside = source
        if isTranslated {
            guard let address = outsideAddresses.first(where: \.isIPv4) else { return nil }
            outside = Endpoint(address, port: allocatePort(for: source, random: &random))
        }
        mappings.append(
            Mapping(
                inside: source, scope: scope, outside: outside, lastUsedAt: now,
                peers: [destination]))
        return outside
    }

    /// A packet comes from outside. Returns the inside endpoint it is for; nil when it is dropped.
    mutating func translateInbound(
        from source: Endpoint, to destination: Endpoint, at now: MonotonicInstant
    ) -> Endpoint? {
        guard !behavior.blocksUDP else { return nil }
        expire(at: now)
        let index = mappings.firstIndex { mapping in
            mapping.outside == destination
                && mapping.peers.contains { Self.admits(behavior.filtering, $0, source) }
                && (mapping.scope == .any
                    || mapping.scope == Scope(behavior.mapping, source))
        }
        guard let index else { return nil }
        if behavior.inboundRefreshes { mappings[index].lastUsedAt = now }
        return mappings[index].inside
    }

    /// Forgets everything, as after a power cut.
    mutating func reset() {
        mappings.removeAll()
    }

    private static func admits(
        _ filtering: RouterBehavior.Dependence, _ peer: Endpoint, _ source: Endpoint
    ) -> Bool {
        switch filtering {
        case .endpointIndependent: true
        case .addressDependent: peer.address == source.address
        case .addressAndPortDependent: peer == source
        }
    }

    private mutating func expire(at now: MonotonicInstant) {
        mappings.removeAll { now - $0.lastUsedAt > behavior.mappingLifetime }
    }

    private mutating func allocatePort(
        for source: Endpoint, random: inout SeededRandom
    ) -> UInt16 {
        let isFree = { [mappings] (port: UInt16) in
            !mappings.contains { $0.outside.port == port && $0.outside.address.isIPv4 }
        }
        if behavior.allocation == .preserving, isFree(source.port) { return source.port }
        while true {
            let port: UInt16
            if behavior.allocation == .random {
                port = UInt16(1_024 + random.below(64_512))
            } else {
                port = nextPort
                nextPort = nextPort == .max ? 1_024 : nextPort + 1
            }
            if isFree(port) { return port }
        }
    }
}
