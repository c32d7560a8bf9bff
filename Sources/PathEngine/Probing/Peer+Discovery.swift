import NetTypes

/// The rounds in which all candidates of a peer are pinged.
struct Discovery {
    /// Rounds since discovery began.
    private(set) var round = 0
    private(set) var nextRoundAt: MonotonicInstant?
    private(set) var nextUpgradeAt: MonotonicInstant?
    private(set) var nextStandbyAt: MonotonicInstant?

    mutating func begin(at now: MonotonicInstant) {
        round = 0
        nextRoundAt = now
        nextUpgradeAt = nil
        nextStandbyAt = nil
    }

    mutating func stop() { self = Discovery() }

    /// A trusted direct path exists: no more rounds, only a look at the others now and then.
    mutating func noteDirect(standbyInterval: Nanoseconds, at now: MonotonicInstant) {
        round = 0
        nextRoundAt = nil
        if nextUpgradeAt == nil { nextUpgradeAt = now + PathTiming.upgradeInterval }
        if nextStandbyAt == nil { nextStandbyAt = now + standbyInterval }
    }

    mutating func noteRound(isHopeless: Bool, at now: MonotonicInstant) {
        round += 1
        let gap =
            isHopeless
            ? PathTiming.hopelessRoundGap(after: round) : PathTiming.roundGap(after: round)
        nextRoundAt = now + gap
    }

    mutating func noteUpgrade(at now: MonotonicInstant) {
        nextUpgradeAt = now + PathTiming.upgradeInterval
    }

    mutating func noteStandby(next: MonotonicInstant) { nextStandbyAt = next }
}

extension Peer {
    mutating func serviceDiscovery(at now: MonotonicInstant, into actions: inout [PeerAction]) {
        if isDirect(at: now) {
            if discovery.nextRoundAt != nil || discovery.nextUpgradeAt == nil {
                discovery.noteDirect(standbyInterval: standbyInterval, at: now)
            }
            upgradeIfDue(at: now)
            keepStandbyWarm(at: now)
            return
        }
        if discovery.nextRoundAt == nil { discovery.begin(at: now) }
        guard let due = discovery.nextRoundAt, due <= now else { return }
        candidates.expire(keeping: selection.endpoint, at: now)
        let isHopeless = isHopeless
        discovery.noteRound(isHopeless: isHopeless, at: now)
        let isFirst = discovery.round == 1
        let prospects = prospects
        candidates.updateAll { candidate in
            if prospects.isPromising(candidate.endpoint) {
                candidate.probe.start(at: now)
            } else if isFirst {
                candidate.probe.startSparingly(at: now)
            } else {
                candidate.probe.pingOnce(at: now)
            }
        }
        // A peer that has been told need not be told again what is of no use to it.
        if isFirst || !isHopeless { actions.append(.callMeMaybeWanted) }
        actions.append(.peerRelayWanted)
    }

    func discoveryDeadline(at now: MonotonicInstant) -> MonotonicInstant? {
        if isDirect(at: now) {
            // Trust that runs out starts a round.
            let next = earliest(discovery.nextStandbyAt, selection.trustedUntil + .milliseconds(1))
            return earliest(next, discovery.nextUpgradeAt)
        }
        return discovery.nextRoundAt ?? now
    }

    private mutating func upgradeIfDue(at now: MonotonicInstant) {
        guard let due = discovery.nextUpgradeAt, due <= now else { return }
        discovery.noteUpgrade(at: now)
        candidates.expire(keeping: selection.endpoint, at: now)
        let best = selection.endpoint
        if let best, let roundTrip = candidates[best]?.quality.roundTrip,
            roundTrip <= PathTiming.goodEnoughRoundTrip
        {
            return
        }
        candidates.updateAll { candidate in
            // A relay need not keep what a direct path has made superfluous.
            if candidate.endpoint != best, !candidate.endpoint.isRelayedPath {
                candidate.probe.pingOnce(at: now)
            }
        }
    }

    private mutating func keepStandbyWarm(at now: MonotonicInstant) {
        guard let due = discovery.nextStandbyAt, due <= now else { return }
        discovery.noteStandby(next: now + standbyInterval)
        if let standby = standby(at: now) {
            candidates.update(standby.endpoint) { $0.probe.pingOnce(at: now) }
        }
    }

    /// The best path besides the selected one that has answered lately.
    func standby(at now: MonotonicInstant) -> Candidate? {
        candidates.candidates.filter {
            $0.endpoint != selection.endpoint && !$0.endpoint.isRelayedPath
                && $0.isProven(within: PathTiming.standbyLifetime, at: now)
        }.min { $0.cost < $1.cost }
    }

    /// Sends the pings of candidates that are due.
    mutating func serviceProbes(at now: MonotonicInstant, into actions: inout [PeerAction]) {
        candidates.updateAll { candidate in
            guard let due = candidate.probe.nextAt, due <= now else { return }
            candidate.probe.notePing(at: now)
            candidate.quality.notePing()
            actions.append(.ping(candidate.endpoint))
        }
    }

    var probeDeadline: MonotonicInstant? {
        candidates.candidates.reduce(nil) { earliest($0, $1.probe.nextAt) }
    }
}

extension Candidate {
    var cost: Int64 { PathScore.cost(endpoint, quality) }
}
