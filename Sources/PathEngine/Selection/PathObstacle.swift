package import NetTypes

/// What stands in the way of a direct path to a peer, and on which side, as far as it can be told.
package enum PathObstacle: Equatable, Sendable {
    /// Nothing was sent to it lately: no direct path is kept.
    case idle
    /// The peer announces no disco key, so it cannot be searched for.
    case noDiscoKey
    /// The search has just begun.
    case searching
    /// A direct path worked a short while ago.
    case lost(Endpoint)
    /// On our side: no STUN server answers, and no interface has a public address.
    case ownUDPBlocked
    /// On the peer's side: it knows no public address of its own.
    case peerUDPBlocked
    /// Each destination sees another port of us, and of the peer.
    case bothHard
    /// On our side: each destination sees another port.
    case ownHard
    /// On the peer's side: each destination sees another port.
    case peerHard
    /// None of the peer's so many addresses answers, and there is no sign of the reason.
    case unanswered(Int)
}

extension PathEngine {
    /// Nil while the peer's traffic goes directly.
    func obstacle(_ peer: Peer, at now: MonotonicInstant) -> PathObstacle? {
        guard !peer.isDirect(at: now) else { return nil }
        guard peer.canProbe else { return .noDiscoKey }
        guard peer.isInSession(at: now) else { return .idle }
        if let lost = peer.lostEndpoint, now - peer.lostAt < PathTiming.lossMemory {
            return .lost(lost)
        }
        if now - peer.activity.activeSince < PathTiming.searchPatience { return .searching }
        guard ownEndpoints.list.contains(where: { $0.endpoint.address.isPublic }) else {
            return .ownUDPBlocked
        }
        let known = peer.candidates.candidates
        guard known.contains(where: { $0.endpoint.address.isPublic }) else {
            return .peerUDPBlocked
        }
        let isOwnHard =
            natBehavior.mapping.map { $0 != .endpointIndependent }
            ?? ownEndpoints.hasVaryingMapping
        switch (isOwnHard, peer.mappingVaries) {
        case (true, true): return .bothHard
        case (true, false): return .ownHard
        case (false, true): return .peerHard
        case (false, false): return .unanswered(known.count)
        }
    }
}

extension IPAddress {
    /// Could be an address on the internet.
    fileprivate var isPublic: Bool {
        !isPrivate && !isLoopback && !isLinkLocal && !isUnspecified
            // The tunnel's range is that with which carriers number their customers (RFC 6598).
            && !IPPrefix.tunnelIPv4.contains(self)
    }
}
