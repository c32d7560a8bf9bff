package import NetTypes

/// How far the engine is with finding out what the NAT does.
enum BehaviorPhase {
    /// To be found out after the next full report.
    case unknown
    case awaitingSockets(servers: [Endpoint], until: MonotonicInstant)
    case running(BehaviorDiscovery)
    case known

    var nextDeadline: MonotonicInstant? {
        switch self {
        case .unknown, .known: nil
        case .awaitingSockets(_, let until): until
        case .running(let discovery): discovery.nextDeadline
        }
    }

    var isUnderWay: Bool {
        switch self {
        case .unknown, .known: false
        case .awaitingSockets, .running: true
        }
    }
}

extension NetReportEngine {
    /// Answer to `probeSocketsWanted`: the ports of the sockets, in their order; as many as could be
    /// had.
    package mutating func handleProbeSockets(ports: [UInt16], at now: MonotonicInstant) {
        guard case .awaitingSockets(let servers, _) = behavior else {
            if case .awaitingSockets = lifetimes.phase {
                beginLifetime(socketCount: ports.count, at: now)
            }
            return
        }
        guard ports.count >= 2 else { return endBehavior() }
        behavior = .running(
            BehaviorDiscovery(
                servers: servers, ports: Array(ports.prefix(BehaviorDiscovery.socketCount)),
                at: now, random: &random))
        continueBehavior(at: now)
    }

    /// Something came on a probe socket.
    package mutating func handleProbeDatagram(
        _ datagram: RawSpan, socket: Int, from source: Endpoint, at now: MonotonicInstant
    ) {
        guard case .running(var discovery) = behavior else {
            return handleLifetimeDatagram(datagram, socket: socket, from: source, at: now)
        }
        discovery.handleDatagram(datagram, on: socket, from: source, at: now, random: &random)
        behavior = .running(discovery)
        continueBehavior(at: now)
    }

    mutating func beginBehavior(at now: MonotonicInstant) {
        guard case .unknown = behavior else { return }
        let servers = measurement.nearestIPv4Servers(NetReportTiming.behaviorServersMax)
        guard !servers.isEmpty else { return }
        dropLifetime()
        behaviorServers = servers
        behavior = .awaitingSockets(servers: servers, until: now + NetReportTiming.socketsTimeout)
        events.append(.probeSocketsWanted(BehaviorDiscovery.socketCount))
    }

    mutating func continueBehavior(at now: MonotonicInstant) {
        switch behavior {
        case .unknown, .known: return
        case .awaitingSockets(_, let until): if until <= now { endBehavior() }
        case .running(var discovery):
            transmits += discovery.handleTimeout(at: now)
            behavior = .running(discovery)
            guard discovery.isComplete else { return }
            note(discovery.evidence, at: now)
            endBehavior()
        }
    }

    /// Nothing that was found out holds any more.
    mutating func forgetBehavior() {
        if behavior.isUnderWay { events.append(.probeSocketsDone) }
        behavior = .unknown
    }

    private mutating func endBehavior() {
        behavior = .known
        events.append(.probeSocketsDone)
        // Whoever waits for a thorough report gets what there is.
        if let lastReport { events.append(.report(lastReport)) }
    }

    private mutating func note(_ evidence: BehaviorEvidence, at now: MonotonicInstant) {
        guard var report = lastReport else { return }
        let found = evidence.behavior
        let before = report.nat.mapping
        report.evidence = evidence
        report.nat = found
        // Servers at several addresses were compared by the report itself.
        if let mapping = found.mapping {
            report.mappingVariesByDestination = mapping != .endpointIndependent
        } else {
            report.nat.mapping = before
        }
        report.finishedAt = now
        lastReport = report
    }
}
