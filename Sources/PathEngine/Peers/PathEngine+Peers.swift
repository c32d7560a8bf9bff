package import NetTypes

extension PathEngine {
    /// Adds the peer of index `index`, or brings it up to date. Its paths survive as long as either
    /// its node key or its disco key stays.
    package mutating func upsertPeer(
        _ configuration: PathPeer, index: Int, at now: MonotonicInstant
    ) {
        precondition((0..<PathTiming.peersMax).contains(index), "peer index out of range")
        while peers.count <= index { peers.append(nil) }
        guard peers[index]?.configuration != configuration else { return }
        let wasRelay = relays.servers.contains(index)
        let oldDiscoKey = peers[index]?.configuration.discoKey
        if let old = peers[index]?.configuration {
            let isSameMachine =
                old.nodeKey == configuration.nodeKey
                || old.discoKey == configuration.discoKey && !old.discoKey.isZero
            if isSameMachine { unlink(old, from: index) } else { removePeer(index: index) }
        }
        if let old = peers[index]?.configuration {
            peers[index]?.configuration = configuration
            if old.homeRelay != configuration.homeRelay {
                peers[index]?.isHomeGone = false
                peers[index]?.activity.relayNotedAt = .never
            }
            if old.discoKey != configuration.discoKey {
                // The peer has restarted. It cannot open what we sealed before, and may be elsewhere.
                peers[index]?.box = nil
                forgetRelayedPaths(at: now) { $0.peer == index }
                peers[index]?.forgetProofs(at: now)
            }
        } else {
            peers[index] = Peer(configuration, datagramMax: settings.datagramByteCountMax)
            peers[index]?.prospects = ownEndpoints.prospects
            peers[index]?.standbyInterval = standbyInterval
            peers[index]?.hardNAT.hasSucceeded = hardNAT.successes.contains(configuration.nodeKey)
            scheduled.reserveCapacity(peers.count)
        }
        link(configuration, to: index)
        relays.setServer(index, configuration.relayRoles.contains(.relaysForUs))
        let usable = configuration.endpoints.filter { CandidateFilter.accepts($0, settings) }
        peers[index]?.setNetmapEndpoints(usable, at: now)
        if configuration.relayRoles.contains(.relaysForUs),
            !wasRelay || oldDiscoKey != configuration.discoKey
        {
            noteRelayAppeared(at: now)
        }
        reschedule(index, at: now)
    }

    package mutating func removePeer(index: Int) {
        guard index < peers.count, let configuration = peers[index]?.configuration else { return }
        unlink(configuration, from: index)
        hardNAT.forget(index)
        relays.forget(index)
        peers[index] = nil
        scheduled.removeAll { $0 == index }
    }

    private mutating func link(_ configuration: PathPeer, to index: Int) {
        indicesByNodeKey[configuration.nodeKey] = index
        guard !configuration.discoKey.isZero else { return }
        indicesByDiscoKey[configuration.discoKey, default: []].append(index)
    }

    private mutating func unlink(_ configuration: PathPeer, from index: Int) {
        if indicesByNodeKey[configuration.nodeKey] == index {
            indicesByNodeKey[configuration.nodeKey] = nil
        }
        indicesByDiscoKey[configuration.discoKey]?.removeAll { $0 == index }
        if indicesByDiscoKey[configuration.discoKey]?.isEmpty == true {
            indicesByDiscoKey[configuration.discoKey] = nil
        }
    }

    /// The index of the peer with this node key.
    package func index(of nodeKey: NodeKey) -> Int? { indicesByNodeKey[nodeKey] }

    /// Nil when there is no such peer.
    package func status(of index: Int, at now: MonotonicInstant) -> PathStatus? {
        guard index < peers.count, let peer = peers[index] else { return nil }
        let known = { (instant: MonotonicInstant) in instant == .never ? nil : instant }
        let current = peer.isTrusted(at: now) ? peer.selection.endpoint : nil
        var status = PathStatus(
            nodeKey: peer.configuration.nodeKey, discoKey: peer.configuration.discoKey)
        status.peerRelay = current.flatMap { peerRelay(at: $0) }
        status.currentEndpoint = status.peerRelay == nil ? current : nil
        status.relayRegion = peer.relayRegion
        status.roundTrip = current.flatMap { peer.candidates[$0]?.quality.roundTrip }
        status.mtu = current.flatMap { peer.candidates[$0]?.mtu.status }
        status.obstacle = obstacle(index, at: now)
        status.isActive = peer.isInSession(at: now)
        status.lastSentAt = known(peer.activity.lastSentAt)
        status.lastReceivedAt = known(peer.activity.lastReceivedAt)
        status.candidates = peer.candidates.direct.map { candidate in
            PathStatus.CandidateStatus(
                endpoint: candidate.endpoint, sources: candidate.sources,
                roundTrip: candidate.quality.roundTrip,
                lastPongAt: known(candidate.quality.lastPongAt),
                pingsSent: candidate.quality.pingsSent,
                pongsReceived: candidate.quality.pongsReceived)
        }
        return status
    }
}
