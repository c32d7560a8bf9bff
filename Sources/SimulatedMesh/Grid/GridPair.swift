import NetTypes
import SimulatedNetwork

/// Two nodes of the NAT grid.
package enum GridPair: Hashable, Sendable {
    /// Each behind a router of its own.
    case apart(NATKind, NATKind)
    /// Both behind something that they share.
    case together(Neighbourhood)

    package enum Neighbourhood: String, CaseIterable, Sendable {
        case home = "one home network"
        case guests = "one guest network, hairpinning"
        case carrierHairpin = "two homes of a carrier, hairpinning"
        case carrier = "two homes of a carrier, not hairpinning"

        package var legend: String {
            switch self {
            case .home: "neighbours behind one port-restricted NAT that does not hairpin"
            case .guests:
                "the access point keeps its hosts apart; its port-restricted NAT hairpins"
            case .carrierHairpin:
                "port-restricted NATs at home behind one carrier's NAT (EIM/EIF) that hairpins"
            case .carrier: "the same, without hairpinning"
            }
        }
    }

    /// Every pair of kinds, and the neighbourhoods.
    package static var all: [GridPair] {
        let kinds = NATKind.allCases
        let apart = kinds.indices.flatMap { one in
            kinds[one...].map { GridPair.apart(kinds[one], $0) }
        }
        return apart + Neighbourhood.allCases.map { .together($0) }
    }

    /// The first two columns of its row.
    package var names: (String, String) {
        switch self {
        case .apart(let one, let other): (one.rawValue, other.rawValue)
        case .together(let neighbourhood): (neighbourhood.rawValue, "together")
        }
    }

    package var theory: Theory {
        switch self {
        case .apart(let one, let other): Theory(one, other)
        case .together(.carrier): .none
        case .together: .direct
        }
    }

    /// The pair on a network of its own. Behind `swapped` the first node is the second.
    package func mesh(seed: UInt64, swapped: Bool) -> Mesh {
        switch self {
        case .apart(let one, let other):
            return Mesh(seed: seed, swapped ? [other, one] : [one, other])
        case .together(let neighbourhood):
            return Mesh(seed: seed, neighbourhood)
        }
    }
}

/// What is possible between two kinds of NAT, from their mapping and filtering and the ports they
/// map when asked: without luck.
package enum Theory: String, Sendable {
    /// Each side can be told where the other will send from or receive.
    case direct = "direct"
    /// One side's port for the other has to be guessed.
    case guess = "guess one"
    /// Both sides' ports have to be.
    case guessBoth = "guess both"
    /// UDP is blocked, or there is no common address family.
    case none = "none"

    init(_ one: NATKind, _ other: NATKind) {
        if one == .udpBlocked || other == .udpBlocked {
            self = .none
        } else if one.hasIPv6, other.hasIPv6 {
            self = .direct
        } else if !one.reachesIPv4 || !other.reachesIPv4 {
            self = .none
        } else if one.mapsPorts || other.mapsPorts {
            // Anybody may send to the mapped port, which both sides know.
            self = .direct
        } else {
            self = Self.betweenNATs(one.behavior, other.behavior)
        }
    }

    private static func betweenNATs(_ one: RouterBehavior?, _ other: RouterBehavior?) -> Self {
        let isOneFixed = one.map { $0.mapping == .endpointIndependent } ?? true
        let isOtherFixed = other.map { $0.mapping == .endpointIndependent } ?? true
        if isOneFixed, isOtherFixed { return .direct }
        if !isOneFixed, !isOtherFixed { return .guessBoth }
        // The one whose port is fixed hears the other, wherever it sends from, unless it filters
        // by port.
        let fixed = isOneFixed ? one : other
        return fixed?.filtering == .addressAndPortDependent ? .guess : .direct
    }
}

extension NATKind {
    var reachesIPv4: Bool { hasIPv4 || self == .nat64 }
}

extension Mesh {
    convenience init(seed: UInt64, _ neighbourhood: GridPair.Neighbourhood) {
        self.init(seed: seed)
        var random = SeededRandom(seed: seed ^ 0x70F0)
        let delay = Nanoseconds.milliseconds(Int64(5 + random.below(16)))
        let way = SimulatedNetwork.Link(delay: delay, jitter: .milliseconds(2))
        let lan = SimulatedNetwork.Link(delay: .microseconds(500))
        var behavior = RouterBehavior.easy
        behavior.isolatesHosts = neighbourhood == .guests
        behavior.hairpins = neighbourhood == .guests || neighbourhood == .carrierHairpin
        let isCarrier = neighbourhood == .carrier || neighbourhood == .carrierHairpin
        if isCarrier { behavior.filtering = .endpointIndependent }
        let shared = network.addRouter(behavior, outside: [address("203.0.113.1")], link: way)
        for number: UInt8 in 1...2 {
            var parent = shared
            if isCarrier {
                parent = network.addRouter(
                    .easy, outside: [.v4(IPv4Address(100, 64, number, 2))], behind: shared,
                    link: SimulatedNetwork.Link(delay: .milliseconds(2)))
            }
            // Homes of a carrier often have the same addresses inside.
            let host: UInt8 = isCarrier ? 2 : number + 1
            addNode(
                "\(number)",
                on: network.addHost(
                    [.v4(IPv4Address(192, 168, 1, host))], behind: parent, link: lan))
        }
    }
}
