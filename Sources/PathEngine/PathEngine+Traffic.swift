package import NetTypes

extension PathEngine {
    /// The way for a WireGuard packet to the peer, about to be sent now. Counts as activity: the
    /// first call after a silence wakes the search for a direct path. `byteCount` is the length of
    /// the datagram: what does not pass the direct path goes by relay. So many of them follow at once.
    package mutating func route(
        for index: Int, byteCount: Int = 0, times: Int = 1, at now: MonotonicInstant
    ) -> PathRoute {
        guard index < peers.count,
            let (route, due) = peers[index]?.noteSend(byteCount: byteCount, times: times, at: now)
        else { return PathRoute() }
        if let due { schedule(index, by: due) }
        return route
    }

    /// The largest packet of the tunnel that goes directly to the peer, where that is known to be less
    /// than the tunnel's interface allows. What is larger goes by relay.
    package func innerMTU(of index: Int) -> Int? {
        guard index < peers.count, peers[index] != nil else { return nil }
        return peers[index]?.selection.innerByteCount
    }

    /// The same without the claim that something is sent.
    package func currentRoute(for index: Int, at now: MonotonicInstant) -> PathRoute {
        guard index < peers.count, let peer = peers[index] else { return PathRoute() }
        return peer.route(byteCount: 0, at: now)
    }

    /// A packet of the peer, a datagram of `byteCount`, passed WireGuard's authentication.
    package mutating func noteReceived(
        from index: Int, source: PacketSource, byteCount: Int = 0, at now: MonotonicInstant
    ) {
        guard index < peers.count,
            let isDone = peers[index]?.noteReceived(from: source, at: now), !isDone
        else { return }
        switch source {
        case .direct(let endpoint): noteOtherSource(endpoint, of: index, at: now)
        case .relay: noteRelayed(byteCount, from: index, at: now)
        }
    }

    /// A packet came by relay that had come before: the peer sends both ways.
    package mutating func noteRelayedCopy(
        from index: Int, byteCount: Int, at now: MonotonicInstant
    ) {
        guard index < peers.count, peers[index]?.isTrusted(at: now) == true else { return }
        noteRelayed(byteCount, from: index, at: now)
    }

    private mutating func noteRelayed(
        _ byteCount: Int, from index: Int, at now: MonotonicInstant
    ) {
        peers[index]?.noteRelayedData(byteCount: byteCount, at: now)
        if peers[index]?.selection.verification != nil { reschedule(index, at: now) }
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
        guard accepts(endpoint), peers[index]?.canProbe == true else {
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

    /// The relay says that the peer is not connected to the region. From its home that may mean that
    /// the netmap is behind; then the region through which it last spoke is used instead.
    package mutating func noteRelayPeerGone(_ nodeKey: NodeKey, region: Int) {
        guard let index = indicesByNodeKey[nodeKey], let peer = peers[index] else { return }
        if peer.lastRelayRegion == region { peers[index]?.lastRelayRegion = nil }
        if peer.configuration.homeRelay == region { peers[index]?.isHomeGone = true }
    }
}
