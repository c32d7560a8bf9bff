import NetTypes

extension Peer {
    /// The netmap lists these endpoints of the peer. New ones are tried at once while traffic has no
    /// direct path.
    mutating func setNetmapEndpoints(_ endpoints: [Endpoint], at now: MonotonicInstant) {
        let wasHopeless = isHopeless
        let added = candidates.replace(
            .netmap, with: endpoints, keeping: selection.endpoint, at: now)
        searchIfHopeful(wasHopeless: wasHopeless, at: now)
        guard activity.isActive, !isDirect(at: now) else { return }
        for endpoint in added { candidates.update(endpoint) { $0.probe.start(at: now) } }
    }

    /// The peer asks to be pinged at `endpoints`: all of them, and everything else known of it, at
    /// once, so that its packets find our NAT open and ours find its.
    mutating func noteCallMeMaybe(_ endpoints: [Endpoint], at now: MonotonicInstant) {
        let wasHopeless = isHopeless
        _ = candidates.replace(
            .callMeMaybe, with: endpoints, keeping: selection.endpoint, at: now)
        let best = selection.endpoint
        // Whoever asks has no path that it trusts.
        if isInSession(at: now), isDirect(at: now),
            now - selection.lastPongAt >= selection.patience * 2
        {
            selection.share(doubtAt: now)
        }
        searchIfHopeful(wasHopeless: wasHopeless, at: now)
        let isDirect = isDirect(at: now)
        let prospects = prospects
        candidates.updateAll { candidate in
            if isDirect, candidate.endpoint == best { return }
            if prospects.isPromising(candidate.endpoint) {
                candidate.probe.start(at: now)
            } else if candidate.probe.lastSentAt == .never {
                candidate.probe.startSparingly(at: now)
            } else if now - candidate.probe.lastSentAt >= PathTiming.sparingPingGap {
                candidate.probe.pingOnce(at: now)
            }
        }
    }

    /// A valid ping came from `endpoint`: a triggered check (RFC 8445 §7.3.1.4). Without it a side
    /// that is not sending would learn of the path only in its own next round.
    mutating func notePing(
        from endpoint: Endpoint, at now: MonotonicInstant, into actions: inout [PeerAction]
    ) {
        if candidates.index(of: endpoint) == nil, !endpoint.isRelayedPath {
            mappingVaries = candidates.hasOtherPort(of: endpoint.address)
        }
        _ = candidates.observe(endpoint, keeping: selection.endpoint, at: now)
        let isInSession = isInSession(at: now)
        if endpoint != selection.endpoint, isInSession { doubtIfUnheard(at: now) }
        candidates.update(endpoint) { candidate in
            guard !candidate.isProven(within: PathTiming.trustDuration, at: now) else { return }
            if isInSession {
                candidate.probe.start(at: now)
            } else if candidate.probe.lastSentAt == .never
                || now - candidate.probe.lastSentAt >= PathTiming.idleTriggerGap
            {
                candidate.probe.pingOnce(at: now)
            }
        }
        serviceProbes(at: now, into: &actions)
    }

    /// Authenticated data came from an address that is not the selected path.
    mutating func noteData(from endpoint: Endpoint, at now: MonotonicInstant) {
        _ = candidates.observe(endpoint, keeping: selection.endpoint, at: now)
        guard isInSession(at: now) else { return }
        doubtIfUnheard(at: now)
        candidates.update(endpoint) { candidate in
            guard !candidate.isProven(within: PathTiming.heartbeatInterval, at: now),
                candidate.probe.nextAt == nil,
                now - candidate.probe.lastSentAt >= PathTiming.heartbeatInterval
            else { return }
            candidate.probe.start(at: now)
        }
    }
}
