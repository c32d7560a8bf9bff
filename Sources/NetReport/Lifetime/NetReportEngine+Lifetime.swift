package import NetTypes

/// What is known of the lifetimes of mappings, and the search for that of the present network.
struct Lifetimes {
    enum Phase {
        case idle
        case awaitingSockets(until: MonotonicInstant)
        case running(LifetimeSearch)
    }

    /// A network is known by the address that the internet sees.
    struct Network {
        let address: IPAddress
        var safeGap: Nanoseconds?
        var isSettled = false
        var failures = 0
        var disproofs = 0
    }

    var phase = Phase.idle
    private(set) var networks: [Network] = []
    var notBefore = MonotonicInstant.never

    func network(_ address: IPAddress?) -> Network? {
        networks.first { $0.address == address }
    }

    /// Changes what is known of the network, the newest of at most sixteen.
    mutating func update(_ address: IPAddress, _ body: (inout Network) -> Void) {
        if let index = networks.firstIndex(where: { $0.address == address }) {
            body(&networks[index])
            return
        }
        if networks.count == LifetimeTiming.networksMax { networks.removeFirst() }
        var network = Network(address: address)
        body(&network)
        networks.append(network)
    }

    var holdsSockets: Bool { if case .idle = phase { false } else { true } }
}

extension NetReportEngine {
    /// How long a mapping of the NAT in our way may rest and still be there, with a margin; nil until
    /// that is known of this network.
    package var mappingLifetime: Nanoseconds? { lifetimes.network(outsideAddress)?.safeGap }

    private var outsideAddress: IPAddress? { lastReport?.globalIPv4.first?.address }

    var lifetimeDeadline: MonotonicInstant? {
        switch lifetimes.phase {
        case .idle: isLifetimeWanted ? max(lifetimes.notBefore, .never) : nil
        case .awaitingSockets(let until): until
        case .running(let search): search.nextDeadline(isInUse: isInUse)
        }
    }

    /// Once for each network, while the node is in use, when the rest is known.
    private var isLifetimeWanted: Bool {
        guard isInUse, isRefreshing, case .known = behavior, !behaviorServers.isEmpty,
            let outsideAddress
        else { return false }
        return lifetimes.network(outsideAddress)?.isSettled != true
    }

    mutating func continueLifetime(at now: MonotonicInstant) {
        switch lifetimes.phase {
        case .idle:
            guard isLifetimeWanted, lifetimes.notBefore <= now else { return }
            lifetimes.phase = .awaitingSockets(until: now + NetReportTiming.socketsTimeout)
            events.append(.probeSocketsWanted(LifetimeSearch.socketCount))
        case .awaitingSockets(let until): if until <= now { pauseLifetime(at: now) }
        case .running(var search):
            transmits += search.handleTimeout(isInUse: isInUse, at: now, random: &random)
            lifetimes.phase = .running(search)
            if let outcome = search.outcome { endLifetime(outcome, search.bounds, at: now) }
        }
    }

    mutating func beginLifetime(socketCount: Int, at now: MonotonicInstant) {
        guard socketCount >= LifetimeSearch.socketCount, let server = behaviorServers.first else {
            return pauseLifetime(at: now)
        }
        let portsDiffer: Bool =
            switch lastReport?.nat.allocation {
            case .random, .contiguousBlock, .sequential: true
            case .preserving, nil: false
            }
        lifetimes.phase = .running(
            LifetimeSearch(server: server, portsDiffer: portsDiffer, at: now))
        continueLifetime(at: now)
    }

    mutating func handleLifetimeDatagram(
        _ datagram: RawSpan, socket: Int, from source: Endpoint, at now: MonotonicInstant
    ) {
        guard case .running(var search) = lifetimes.phase else { return }
        search.handleDatagram(datagram, on: socket, from: source, at: now, random: &random)
        lifetimes.phase = .running(search)
        continueLifetime(at: now)
    }

    /// The sockets are needed for something else, or the network is another: what was under way begins
    /// anew later.
    mutating func dropLifetime() {
        guard lifetimes.holdsSockets else { return }
        lifetimes.phase = .idle
        events.append(.probeSocketsDone)
    }

    private mutating func pauseLifetime(at now: MonotonicInstant) {
        dropLifetime()
        lifetimes.notBefore = now + LifetimeTiming.failurePause
        guard let outsideAddress else { return }
        lifetimes.update(outsideAddress) {
            $0.failures += 1
            $0.isSettled = $0.failures >= LifetimeTiming.failuresMax
        }
    }

    private mutating func endLifetime(
        _ outcome: LifetimeSearch.Outcome, _ bounds: LifetimeBounds, at now: MonotonicInstant
    ) {
        if outcome == .noServer { return pauseLifetime(at: now) }
        dropLifetime()
        guard let outsideAddress, var report = lastReport else { return }
        lifetimes.update(outsideAddress) {
            $0.isSettled = true
            $0.safeGap = bounds.safeGap
        }
        report.mappingLifetime = mappingLifetime
        lastReport = report
        events.append(.report(report))
        if bounds.safeGap != nil { events.append(.lifetimesLearned(learnedLifetimes)) }
    }

    /// Another report is in: a port that has changed while nothing else did shows that a mapping was
    /// lost sooner than was thought.
    mutating func checkLifetime(_ report: inout NetReport, before: NetReport?) {
        if let address = report.globalIPv4.first?.address, let old = before?.globalIPv4.first,
            old.address == address, !report.globalIPv4.contains(old),
            report.mappingVariesByDestination != true,
            lifetimes.network(address)?.safeGap != nil
        {
            lifetimes.update(address) {
                $0.safeGap = nil
                $0.disproofs += 1
                $0.isSettled = $0.disproofs >= LifetimeTiming.disproofsMax
            }
            events.append(.lifetimesLearned(learnedLifetimes))
        }
        report.mappingLifetime = lifetimes.network(report.globalIPv4.first?.address)?.safeGap
    }
}
