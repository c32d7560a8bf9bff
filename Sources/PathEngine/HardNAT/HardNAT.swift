import Disco
import NetTypes

/// What a node does about NATs that give each destination a port of its own: see `PathEngine+HardNAT`.
struct HardNAT {
    /// A peer's path that goes by a socket of its own.
    struct Binding {
        let peer: Int
        let endpoint: Endpoint
        var socket: LocalSocket
        /// How the peer sees us on it.
        var mapped: Endpoint?
        var lastUsedAt: MonotonicInstant
    }

    /// A socket on which the peer was heard as well, and which it may have chosen.
    struct Hit {
        let peer: Int
        let socket: LocalSocket
        var lastHeardAt: MonotonicInstant
    }

    struct Wanted {
        let peer: Int
        var dueAt: MonotonicInstant
    }

    var isEnabled = true
    /// Whom earlier searches have found, before this process began.
    var successes: Set<NodeKey> = []
    var stunServers: [Endpoint] = []
    /// Whether our own comparison of two servers has shown a mapping that varies.
    var sampledVariation: Bool?
    var wanted: [Wanted] = []
    var opening: OpeningAttempt?
    var probing: ProbingAttempt?
    var bindings: [Binding] = []
    var hits: [Hit] = []
    var checkAt: MonotonicInstant?
    var mappingBudget = LoadBudget(limit: HardNATTiming.mappingsMax)
    var probeBudget = LoadBudget(limit: HardNATTiming.probesMax)
    /// Sockets that the driver is to close.
    var closures = BoundedQueue<LocalSocket>(capacity: PathTiming.transmitQueueMax)
    private var lastSocket: UInt32 = 0

    mutating func newSocket() -> LocalSocket {
        lastSocket &+= 1
        if lastSocket == 0 { lastSocket = 1 }
        return LocalSocket(number: lastSocket)
    }

    /// Called for every packet: the list is empty on almost all nodes.
    @inline(__always)
    func socket(to endpoint: Endpoint) -> LocalSocket {
        bindings.isEmpty ? .main : boundSocket(to: endpoint)
    }

    private func boundSocket(to endpoint: Endpoint) -> LocalSocket {
        bindings.first { $0.endpoint == endpoint }?.socket ?? .main
    }

    mutating func want(_ peer: Int, at due: MonotonicInstant) {
        guard !wanted.contains(where: { $0.peer == peer }), wanted.count < HardNATTiming.wantedMax
        else { return }
        wanted.append(Wanted(peer: peer, dueAt: due))
    }

    /// The peer's packets come by `socket`, and ours to `endpoint` will leave by it, unless another
    /// socket does that already.
    mutating func bind(
        _ endpoint: Endpoint, to socket: LocalSocket, peer: Int, at now: MonotonicInstant
    ) {
        if checkAt == nil { checkAt = now + HardNATTiming.checkInterval }
        if let index = bindings.firstIndex(where: { $0.peer == peer }) {
            if bindings[index].socket != socket { noteHit(socket, of: peer, at: now) }
            return
        }
        hits.removeAll { $0.socket == socket }
        bindings.append(
            Binding(peer: peer, endpoint: endpoint, socket: socket, lastUsedAt: now))
    }

    private mutating func noteHit(_ socket: LocalSocket, of peer: Int, at now: MonotonicInstant) {
        if let index = hits.firstIndex(where: { $0.socket == socket }) {
            hits[index].lastHeardAt = now
        } else if hits.count < HardNATTiming.hitsMax {
            hits.append(Hit(peer: peer, socket: socket, lastHeardAt: now))
        }
    }

    /// The peer that a socket was opened for.
    func owner(of socket: LocalSocket) -> Int? {
        if let opening, opening.owns(socket) { return opening.peer }
        return bindings.first { $0.socket == socket }?.peer
            ?? hits.first { $0.socket == socket }?.peer
    }

    func isInUse(_ socket: LocalSocket) -> Bool {
        bindings.contains { $0.socket == socket } || hits.contains { $0.socket == socket }
    }

    /// Ends the attempt and closes its sockets, except those that a path goes by.
    mutating func endOpening() {
        guard let ended = opening.take() else { return }
        for socket in ended.sockets + ended.spare where !isInUse(socket) {
            closures.append(socket)
        }
    }

    /// Ends everything that concerns the peer.
    mutating func forget(_ peer: Int) {
        wanted.removeAll { $0.peer == peer }
        release(peer)
        if opening?.peer == peer { endOpening() }
        if probing?.peer == peer { probing = nil }
    }

    /// Closes the sockets by which the peer was reached.
    mutating func release(_ peer: Int) {
        for binding in bindings where binding.peer == peer { closures.append(binding.socket) }
        for hit in hits where hit.peer == peer { closures.append(hit.socket) }
        bindings.removeAll { $0.peer == peer }
        hits.removeAll { $0.peer == peer }
    }

    /// The network has changed: no mapping holds.
    mutating func forgetAll() {
        for binding in bindings { closures.append(binding.socket) }
        for hit in hits { closures.append(hit.socket) }
        bindings = []
        hits = []
        wanted = []
        sampledVariation = nil
        probing = nil
        endOpening()
    }

    var nextDeadline: MonotonicInstant? {
        var next = earliest(opening?.nextDeadline, probing?.nextDeadline)
        if !bindings.isEmpty || !hits.isEmpty { next = earliest(next, checkAt) }
        for entry in wanted { next = earliest(next, entry.dueAt) }
        return next
    }
}

/// What is remembered of a peer in this matter.
struct HardNATMemory {
    /// Whether it answers messages about hard NATs; nil: not known.
    var speaks: Bool?
    /// Attempts in a row that found nothing, or were not answered.
    var failures = 0
    var silences = 0
    var notBefore = MonotonicInstant.never
    /// Likewise for probing it at its request.
    var probingFailures = 0
    var noProbingBefore = MonotonicInstant.never
    var wantedAt = MonotonicInstant.never
    var hasSucceeded = false
    /// How its NAT maps, by its own word; nil where it has said nothing.
    var mapping: NATBehavior.Dependence?
    var obstacle: HardNATObstacle?
    /// It was last told that the search is switched off here.
    var toldOffAt = MonotonicInstant.never
    /// Limits how often the peer's messages are acted upon.
    var received = TokenBucket(burst: 6, interval: .seconds(1))

    /// We are somewhere else, or may do what we might not: what failed before may work now. What the
    /// peer may make us send stays bounded as it was.
    mutating func forgetFailures() {
        failures = 0
        silences = 0
        notBefore = .never
        obstacle = nil
        toldOffAt = .never
    }
}
