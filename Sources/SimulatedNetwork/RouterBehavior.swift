package import NetTypes

/// How a router treats UDP that passes it, in the terms of RFC 4787, RFC 6092 and RFC 6146.
package struct RouterBehavior: Equatable, Sendable {
    package typealias Dependence = NATBehavior.Dependence

    /// How the outside port of a new mapping is chosen (RFC 4787 §4.2).
    package enum PortAllocation: Equatable, Sendable {
        /// The inside port where it is free, else a random one.
        case preserving
        /// The next one that is free, starting anywhere.
        case sequential
        /// Any that is free.
        case random
        /// Any of a block of this many contiguous ports that belongs to the inside address; a
        /// further block when it is full (RFC 7422 and what carriers do).
        case blocks(of: Int)
    }

    /// What becomes of a new flow when the table is full.
    package enum TableOverflow: Equatable, Sendable {
        /// Its packet is lost, and old flows live on.
        case refuse
        /// The flow that has been quiet for longest is forgotten.
        case forgetOldest
    }

    /// Which destinations share one outside port (RFC 4787 §4.1).
    package var mapping = Dependence.endpointIndependent
    /// Who may send in through a mapping (§5), whatever the mapping depends on.
    package var filtering = Dependence.addressAndPortDependent
    package var allocation = PortAllocation.preserving
    /// Inside hosts reach each other by their outside endpoints, and see those as sources (§6).
    package var hairpins = false
    /// Inside hosts do not reach each other by their own addresses, as on a guest network.
    package var isolatesHosts = false
    /// What passes without packets for this long is forgotten (§4.3). Real ones: 30 s to 5 min.
    package var mappingLifetime = Nanoseconds.minutes(2)
    /// Packets from outside renew, too.
    package var inboundRefreshes = true
    /// A mapping made anew after it expired gets another port than before.
    package var changesPortOnExpiry = false
    /// Flows that fit in the table; nil: any number.
    package var tableCapacity: Int?
    package var tableOverflow = TableOverflow.refuse
    /// Other hosts' new mappings per second, which a sequential allocation steps over.
    package var otherMappingsPerSecond = 0.0
    /// No UDP passes, of either family.
    package var blocksUDP = false
    /// Who may send in by IPv6, which is not translated; nil: anybody, for there is no firewall.
    package var ipv6Filtering: Dependence? = .addressAndPortDependent
    /// Translates IPv6 of this /96 to IPv4 and back (RFC 6146), by the rules of the NAT above.
    package var nat64Prefix: IPv6Address?

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
