import Disco
import NetTypes

/// What the engine knows of peer relays: those that may be used, what they were asked, with whom we
/// are shaking hands, and the paths that came of it.
struct PeerRelays {
    var isEnabled = true
    /// Indices of the peers that relay for us, ascending.
    private(set) var servers: [Int] = []
    /// When to ask for a way to a peer, by its index; few at a time.
    private(set) var wanted: [(peer: Int, dueAt: MonotonicInstant)] = []
    var allocations: [PendingAllocation] = []
    var handshakes: [RelayHandshake] = []
    private(set) var paths: [RelayedPath] = []
    private var positions: [PeerRelayAddress: Int] = [:]
    private var positionsByEndpoint: [Endpoint: Int] = [:]
    var lastGeneration: UInt32 = 0
    private var lastNumber: UInt32 = 0
    var sweepAt: MonotonicInstant?

    struct PendingAllocation {
        let peer: Int
        let server: Int
        let generation: UInt32
        let askedAt: MonotonicInstant
        var isRetried = false

        var expiresAt: MonotonicInstant { askedAt + PeerRelayTiming.allocationTimeout }
        var nextAt: MonotonicInstant {
            isRetried ? expiresAt : askedAt + PeerRelayTiming.allocationRetry
        }
    }

    var nextDeadline: MonotonicInstant? {
        var next = sweepAt
        for entry in wanted { next = earliest(next, entry.dueAt) }
        for allocation in allocations { next = earliest(next, allocation.nextAt) }
        for handshake in handshakes { next = earliest(next, handshake.nextAt) }
        return next
    }

    // MARK: Relays and wishes

    mutating func setServer(_ index: Int, _ isServer: Bool) {
        let position = servers.firstIndex { $0 >= index } ?? servers.count
        let isKnown = position < servers.count && servers[position] == index
        if isServer, !isKnown { servers.insert(index, at: position) }
        if !isServer, isKnown { servers.remove(at: position) }
    }

    mutating func want(_ peer: Int, at due: MonotonicInstant) {
        guard !wanted.contains(where: { $0.peer == peer }),
            wanted.count < PeerRelayTiming.allocationsMax
        else { return }
        wanted.append((peer, due))
    }

    /// The peers for which it is time to ask.
    mutating func takeWanted(at now: MonotonicInstant) -> [Int] {
        let due = wanted.filter { $0.dueAt <= now }.map(\.peer)
        wanted.removeAll { $0.dueAt <= now }
        return due
    }

    // MARK: Paths

    /// The path by the endpoint that stands for it.
    @inline(__always)
    func path(at endpoint: Endpoint) -> RelayedPath? {
        guard endpoint.isRelayedPath else { return nil }
        return positionsByEndpoint[endpoint].map { paths[$0] }
    }

    func path(at address: PeerRelayAddress) -> RelayedPath? {
        positions[address].map { paths[$0] }
    }

    func path(of peer: Int, through server: DiscoKey) -> RelayedPath? {
        paths.first { $0.peer == peer && $0.server == server }
    }

    mutating func update(_ endpoint: Endpoint, _ body: (inout RelayedPath) -> Void) {
        if let position = positionsByEndpoint[endpoint] { body(&paths[position]) }
    }

    /// Keeps what a handshake has achieved: the path between the same two through the same server
    /// goes on under its endpoint. Nil when there are too many.
    mutating func keep(
        _ handshake: RelayHandshake, at address: Endpoint, now: MonotonicInstant
    ) -> Endpoint? {
        let known = path(of: handshake.peer, through: handshake.offer.server)
        guard known != nil || paths.count < PeerRelayTiming.pathsMax else { return nil }
        let endpoint = known?.endpoint ?? nextEndpoint()
        paths.removeAll { $0.endpoint == endpoint }
        paths.append(
            RelayedPath(
                endpoint: endpoint, peer: handshake.peer, offer: handshake.offer,
                address: PeerRelayAddress(
                    server: address, virtualNetwork: handshake.offer.virtualNetwork),
                boundAt: now, lastHeardAt: known?.lastHeardAt ?? now))
        index()
        return endpoint
    }

    mutating func removePaths(where body: (RelayedPath) -> Bool) {
        paths.removeAll(where: body)
        index()
    }

    private mutating func nextEndpoint() -> Endpoint {
        lastNumber &+= 1
        return Endpoint(relayedPath: lastNumber)
    }

    private mutating func index() {
        positions.removeAll(keepingCapacity: true)
        positionsByEndpoint.removeAll(keepingCapacity: true)
        for position in paths.indices {
            positions[paths[position].address] = position
            positionsByEndpoint[paths[position].endpoint] = position
        }
    }

    /// Everything about a peer that is no longer there.
    mutating func forget(_ peer: Int) {
        setServer(peer, false)
        wanted.removeAll { $0.peer == peer }
        allocations.removeAll { $0.peer == peer || $0.server == peer }
        handshakes.removeAll { $0.peer == peer }
        removePaths { $0.peer == peer }
    }

    mutating func forgetAll() {
        wanted = []
        allocations = []
        handshakes = []
        removePaths { _ in true }
    }
}

/// A way to a peer through a relay to which we are bound.
struct RelayedPath {
    /// Stands for it in the engine.
    let endpoint: Endpoint
    let peer: Int
    let offer: DiscoMessage.RelayEndpoint
    let address: PeerRelayAddress
    let boundAt: MonotonicInstant
    var lastHeardAt: MonotonicInstant

    var server: DiscoKey { offer.server }

    func isForgotten(at now: MonotonicInstant) -> Bool {
        now - lastHeardAt >= PeerRelayTiming.pathLifetime
    }
}

/// Binding to one relay for one peer: a request to each of its addresses, and an answer to the first
/// challenge.
struct RelayHandshake {
    let peer: Int
    let offer: DiscoMessage.RelayEndpoint
    let box: DiscoBox
    let generation: UInt32
    let addresses: [Endpoint]
    let startedAt: MonotonicInstant
    private(set) var nextAt: MonotonicInstant
    private var sent = 0
    /// Set once challenged: the address that answered, and what it is answered with.
    private(set) var answer: (address: Endpoint, message: DiscoMessage)?

    init(
        peer: Int, offer: DiscoMessage.RelayEndpoint, box: DiscoBox, generation: UInt32,
        addresses: [Endpoint], at now: MonotonicInstant
    ) {
        self.peer = peer
        self.offer = offer
        self.box = box
        self.generation = generation
        self.addresses = addresses
        startedAt = now
        nextAt = now
    }

    var hasEnded: Bool { sent > PeerRelayTiming.retransmitGaps.count }

    mutating func noteSent(at now: MonotonicInstant) {
        let gaps = PeerRelayTiming.retransmitGaps
        nextAt = now + (sent < gaps.count ? gaps[sent] : PeerRelayTiming.handshakeTail)
        sent += 1
    }

    /// The first challenge came, from `address`.
    mutating func noteChallenge(
        _ binding: DiscoMessage.RelayBinding, from address: Endpoint, at now: MonotonicInstant
    ) {
        answer = (address, .bindRelayAnswer(binding))
        sent = 0
        nextAt = now
    }
}
