import NetTypes
package import SimulatedNetwork

/// What a node of a simulation stands behind.
package enum Place: CustomStringConvertible, CaseIterable {
    case open, easy, addressFiltered, hard, carrier, blocked

    package var description: String {
        switch self {
        case .open: "public address"
        case .easy: "easy NAT"
        case .addressFiltered: "easy NAT that filters by address"
        case .hard: "hard NAT"
        case .carrier: "home NAT behind a carrier's"
        case .blocked: "UDP blocked"
        }
    }
}

extension Mesh {
    /// Two nodes of these kinds, each 10–40 ms from the middle.
    package convenience init(seed: UInt64, _ places: [Place], loss: Double = 0) {
        self.init(seed: seed)
        var random = SeededRandom(seed: seed ^ 0x70F0)
        for (index, place) in places.enumerated() {
            let delay = Nanoseconds.milliseconds(Int64(5 + random.below(16)))
            let way = SimulatedNetwork.Link(
                delay: delay, jitter: .milliseconds(1 + Int64(random.below(3))), loss: loss)
            addNode("\(index): \(place)", on: addHost(at: place, index: index, way))
        }
    }

    package func addHost(
        at place: Place, index: Int, _ way: SimulatedNetwork.Link
    ) -> SimulatedNetwork.HostID {
        let outside = address("203.0.113.\(index + 1)")
        let inside = address("192.168.\(index + 1).2")
        let lan = SimulatedNetwork.Link(delay: .microseconds(500))
        let behavior: RouterBehavior
        switch place {
        case .open: return network.addHost([outside], link: way)
        case .carrier:
            let carrier = network.addRouter(.easy, outside: [outside], link: way)
            let home = network.addRouter(
                .easy, outside: [address("100.64.\(index).2")], behind: carrier,
                link: SimulatedNetwork.Link(delay: .milliseconds(2)))
            return network.addHost([inside], behind: home, link: lan)
        case .easy: behavior = .easy
        case .addressFiltered: behavior = .addressFiltered
        case .hard: behavior = .hard
        case .blocked: behavior = .udpBlocked
        }
        let router = network.addRouter(behavior, outside: [outside], link: way)
        return network.addHost([inside], behind: router, link: lan)
    }
}
