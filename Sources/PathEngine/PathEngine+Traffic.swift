package import NetTypes

extension PathEngine {
    /// The way for a WireGuard packet to the peer, about to be sent now. Counts as activity: the
    /// first call after a silence wakes the search for a direct path.
    @inline(__always)
    package mutating func route(for index: Int, at now: MonotonicInstant) -> PathRoute {
        guard index < peers.count, peers[index] != nil else { return PathRoute() }
        noteSend(index, at: now)
        return presentRoute(of: index, at: now)
    }

    /// The same without the claim that something is sent.
    package func currentRoute(for index: Int, at now: MonotonicInstant) -> PathRoute {
        guard index < peers.count, peers[index] != nil else { return PathRoute() }
        return presentRoute(of: index, at: now)
    }

    private func presentRoute(of index: Int, at now: MonotonicInstant) -> PathRoute {
        let direct = peers[index]?.selection.endpoint
        if direct != nil, let until = peers[index]?.selection.trustedUntil, now <= until {
            return PathRoute(direct: direct, relayRegion: nil)
        }
        return PathRoute(direct: direct, relayRegion: peers[index]?.relayRegion)
    }

    private mutating func noteSend(_ index: Int, at now: MonotonicInstant) {
        guard let activity = peers[index]?.activity else { return }
        peers[index]?.activity.lastSentAt = now
        if !activity.isActive {
            peers[index]?.deadline = now
            schedule(index, by: now)
        } else if activity.firstUnansweredAt <= activity.lastProofAt {
            // What follows is judged by when this packet left.
            peers[index]?.activity.firstUnansweredAt = now
            guard peers[index]?.selection.verification == nil,
                let doubt = peers[index]?.doubtDeadline, let due = peers[index]?.deadline,
                doubt < due
            else { return }
            peers[index]?.deadline = doubt
            schedule(index, by: doubt)
        }
    }

    /// A packet of the peer passed WireGuard's authentication.
    package mutating func noteReceived(
        from index: Int, source: PacketSource, at now: MonotonicInstant
    ) {
        guard index < peers.count, peers[index] != nil else { return }
        peers[index]?.activity.lastReceivedAt = now
        switch source {
        case .direct(let endpoint):
            if endpoint == peers[index]?.selection.endpoint {
                peers[index]?.activity.lastProofAt = now
                peers[index]?.activity.lastDirectDataAt = now
                peers[index]?.selection.noteData(at: now)
            } else {
                noteOtherSource(endpoint, of: index, at: now)
            }
        case .relay(let region, _):
            if peers[index]?.lastRelayRegion != region { peers[index]?.lastRelayRegion = region }
            guard peers[index]?.isDirect(at: now) == true else { return }
            peers[index]?.noteRelayedData(at: now)
            if peers[index]?.selection.verification != nil { reschedule(index, at: now) }
        }
    }

    private mutating func noteOtherSource(
        _ endpoint: Endpoint, of index: Int, at now: MonotonicInstant
    ) {
        if peers[index]?.lastOtherSource == endpoint, let last = peers[index]?.lastOtherSourceAt,
            now - last < .seconds(1)
        {
            return
        }
        peers[index]?.lastOtherSource = endpoint
        peers[index]?.lastOtherSourceAt = now
        guard CandidateFilter.accepts(endpoint, settings), peers[index]?.canProbe == true else {
            return
        }
        peers[index]?.noteData(from: endpoint, at: now)
        reschedule(index, at: now)
    }

    /// Sending to `endpoint` failed for good (no route to host): the path is given up without waiting.
    package mutating func noteUnreachable(
        _ endpoint: Endpoint, peer index: Int, at now: MonotonicInstant
    ) {
        guard index < peers.count, peers[index]?.selection.endpoint == endpoint else { return }
        peers[index]?.giveUpSelection(into: &actions)
        perform(for: index, at: now)
        reschedule(index, at: now)
    }

    /// The relay says that the peer is not connected to the region.
    package mutating func noteRelayPeerGone(_ nodeKey: NodeKey, region: Int) {
        guard let index = indicesByNodeKey[nodeKey], peers[index]?.lastRelayRegion == region else {
            return
        }
        peers[index]?.lastRelayRegion = nil
    }
}
