import NetTypes

extension PathEngine {
    /// Nil while the peer's traffic goes directly.
    func obstacle(_ index: Int, at now: MonotonicInstant) -> PathObstacle? {
        guard let peer = peers[index], !peer.isDirect(at: now) else { return nil }
        guard peer.canProbe else { return .noDiscoKey }
        guard peer.isInSession(at: now) else { return .idle }
        if let lost = peer.lostEndpoint, now - peer.lostAt < PathTiming.lossMemory {
            return .lost(lost)
        }
        if now - peer.activity.activeSince < PathTiming.searchPatience { return .searching }
        let own = ownEndpoints.list.map(\.endpoint.address).filter(\.isPublic)
        let theirs = peer.candidates.direct.map(\.endpoint.address).filter(\.isPublic)
        if own.isEmpty { return .udpBlocked(theirs.isEmpty ? .both : .own) }
        if theirs.isEmpty { return .udpBlocked(.peer) }
        guard own.contains(where: { address in theirs.contains { $0.isIPv4 == address.isIPv4 } })
        else { return .noCommonFamily(ownHasIPv4: own[0].isIPv4) }
        switch (hasHardNAT == true, peer.isBehindHardNAT) {
        case (true, true): return hardNAT(.both, index, at: now)
        case (true, false): return hardNAT(.own, index, at: now)
        case (false, true): return hardNAT(.peer, index, at: now)
        case (false, false): break
        }
        if let shared = own.first(where: { $0.isIPv4 && theirs.contains($0) }) {
            return .noHairpin(shared)
        }
        return .unanswered(peer.candidates.direct.count)
    }

    private func hardNAT(
        _ side: PathSide, _ index: Int, at now: MonotonicInstant
    ) -> PathObstacle {
        guard let memory = peers[index]?.hardNAT else {
            return .hardNAT(side, .notTried, retryIn: nil)
        }
        if hardNAT.opening?.peer == index || hardNAT.probing?.peer == index {
            return .hardNAT(side, .trying, retryIn: nil)
        }
        // The side that opens sockets decides when; the other one knows when it takes part again.
        let isProber = side == .peer
        let next = isProber ? memory.noProbingBefore : memory.notBefore
        let retryIn = next > now ? next - now : nil
        if let obstacle = memory.obstacle {
            return .hardNAT(side, obstacle, retryIn: obstacle.isLasting ? nil : retryIn)
        }
        let isWaiting = hardNAT.opening != nil && hardNAT.wanted.contains { $0.peer == index }
        return .hardNAT(side, isWaiting ? .busy(.own) : .notTried, retryIn: nil)
    }
}

extension HardNATObstacle {
    /// Time alone changes nothing.
    fileprivate var isLasting: Bool {
        switch self {
        case .unpredictable, .switchedOff, .noAddress, .notTried, .trying: true
        case .peerDoesNotHelp, .busy, .failed, .loadReached, .noRoom: false
        }
    }
}

extension Peer {
    /// As the peer says or, where it says nothing, as its packets show.
    fileprivate var isBehindHardNAT: Bool {
        hardNAT.mapping.map { $0 != .endpointIndependent } ?? mappingVaries
    }
}

extension IPAddress {
    /// Could be an address on the internet.
    var isPublic: Bool {
        !isPrivate && !isLoopback && !isLinkLocal && !isUnspecified
            // The tunnel's range is that with which carriers number their customers (RFC 6598).
            && !IPPrefix.tunnelIPv4.contains(self)
    }
}
