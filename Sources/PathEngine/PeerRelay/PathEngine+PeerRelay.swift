internal import CryptoPrimitives
package import Disco
package import NetTypes

// Paths through other nodes' UDP relays, for peers to which no direct path leads.
//
// 1. *Asking.* When a peer is wanted and no direct path has been found within a grace, every node that
//    may relay for us is asked, by DERP, for a way between the two (`allocateRelayRequest`).
// 2. *Telling.* What it offers is passed on to the peer, by DERP (`callMeMaybeVia`).
// 3. *Binding.* Both sides bind to the relay, each at the first of its addresses that answers
//    (`RelayHandshake`), which proves to the relay where they are.
// 4. *Proving.* From then on the way is a candidate of the peer like any other, named by an endpoint
//    that stands for it (`Endpoint.isRelayedPath`): pinged, measured, doubted, given up. It costs
//    more than any direct path and less than DERP, and while it is in use the search for a direct
//    path goes on.
//
// A path that fails is bound anew at once, in case it was us who moved, and then asked for anew.
extension PathEngine {
    /// Switches the use of other nodes' relays on or off. It is on at first.
    package mutating func setPeerRelays(isEnabled: Bool, at now: MonotonicInstant) {
        guard relays.isEnabled != isEnabled else { return }
        relays.isEnabled = isEnabled
        if !isEnabled { forgetRelayedPaths(at: now) { _ in true } }
        if !isEnabled { relays.forgetAll() }
    }

    /// What stands behind an endpoint for which `isRelayedPath` holds: where datagrams go, and the
    /// number for their header. Nil when the path is gone.
    @inline(__always)
    package func peerRelay(at endpoint: Endpoint) -> PeerRelayAddress? {
        relays.path(at: endpoint)?.address
    }

    /// The endpoint that stands for the path by which a datagram with this header came; nil when it
    /// is none of ours.
    package func relayedSource(_ header: GeneveHeader, from server: Endpoint) -> Endpoint? {
        guard !header.isControl else { return nil }
        let address = PeerRelayAddress(server: server, virtualNetwork: header.virtualNetwork)
        return relays.path(at: address)?.endpoint
    }

    /// Takes a disco message behind a Geneve header: of a relay, or of a peer through one.
    @discardableResult
    package mutating func handleGeneve(
        _ datagram: RawSpan, _ header: GeneveHeader, from server: Endpoint,
        at now: MonotonicInstant
    ) -> PathDropReason? {
        let body = datagram.extracting(GeneveHeader.byteCount..<datagram.byteCount)
        guard header.content == .disco, let envelope = DiscoEnvelope(body) else {
            return drop(.notDisco)
        }
        if header.isControl {
            return handleChallenge(envelope, header, from: server, at: now)
        }
        guard let source = relayedSource(header, from: server) else { return drop(.unknownSender) }
        relays.update(source) { $0.lastHeardAt = now }
        if let path = relays.path(at: source) { noteThrough(path) }
        return open(envelope, from: .direct(source), by: .main, at: now)
    }

    // MARK: Wishes

    /// No direct path leads to the peer, and one is wanted.
    mutating func noteRelayWanted(_ index: Int, at now: MonotonicInstant) {
        guard relays.isEnabled, let peer = peers[index], mayBeRelayed(peer),
            !peer.isDirect(at: now)
        else { return }
        if let selected = peer.selection.endpoint, let path = relays.path(at: selected) {
            if peer.isTrusted(at: now) { return }
            rebind(path, at: now)
        }
        guard !relays.servers.isEmpty else { return }
        let grace = peer.relaySearch.hasSucceeded ? Nanoseconds.zero : PeerRelayTiming.grace
        relays.want(index, at: max(now + grace, peer.relaySearch.notBefore))
    }

    /// A node that may relay for us is there, or there again: whoever has no direct path needs not wait.
    mutating func noteRelayAppeared(at now: MonotonicInstant) {
        for index in peers.indices where peers[index]?.isInSession(at: now) == true {
            peers[index]?.relaySearch.notBefore = .never
            noteRelayWanted(index, at: now)
        }
    }

    private func mayBeRelayed(_ peer: Peer) -> Bool {
        peer.canProbe && peer.relayRegion != nil
            && peer.configuration.relayRoles.contains(.canBeRelayed)
    }

    /// We may have moved: the relay must learn where we are. If it has forgotten the pair, there will
    /// be no answer.
    private mutating func rebind(_ path: RelayedPath, at now: MonotonicInstant) {
        guard !path.isForgotten(at: now), now - path.boundAt >= PeerRelayTiming.rebindGap else {
            return
        }
        startHandshake(path.offer, for: path.peer, at: now)
    }

    // MARK: Time

    mutating func serviceRelays(at now: MonotonicInstant) {
        guard let due = relays.nextDeadline, due <= now else { return }
        for index in relays.takeWanted(at: now) { search(for: index, at: now) }
        serviceAllocations(at: now)
        serviceHandshakes(at: now)
    }

    mutating func sweepRelayedPaths(at now: MonotonicInstant) {
        guard let due = relays.sweepAt, due <= now else { return }
        forgetRelayedPaths(at: now) { $0.isForgotten(at: now) }
        relays.sweepAt = relays.paths.isEmpty ? nil : now + PeerRelayTiming.sweepInterval
    }

    private mutating func search(for index: Int, at now: MonotonicInstant) {
        guard let peer = peers[index], mayBeRelayed(peer), !peer.isDirect(at: now) else { return }
        if let selected = peer.selection.endpoint, selected.isRelayedPath,
            peer.isTrusted(at: now)
        {
            return
        }
        peers[index]?.relaySearch.notBefore = now + PeerRelayTiming.searchGap
        peers[index]?.relaySearch.hasSucceeded = false
        let usable = relays.servers.filter { $0 != index && peers[$0]?.relayRegion != nil }
        for server in usable.prefix(PeerRelayTiming.serversMax) {
            let isAsked = relays.allocations.contains { $0.peer == index && $0.server == server }
            guard !isAsked, relays.allocations.count < PeerRelayTiming.allocationsMax else {
                continue
            }
            let allocation = PeerRelays.PendingAllocation(
                peer: index, server: server, generation: nextGeneration(), askedAt: now)
            relays.allocations.append(allocation)
            ask(allocation)
        }
    }

    private mutating func ask(_ allocation: PeerRelays.PendingAllocation) {
        guard let peer = peers[allocation.peer], let server = peers[allocation.server],
            let region = server.relayRegion
        else { return }
        let clients = [discoKey.publicKey, peer.configuration.discoKey].sorted()
        _ = send(
            .allocateRelayRequest(clients: clients, generation: allocation.generation),
            to: .relay(region: region, to: server.configuration.nodeKey), of: allocation.server)
    }

    private mutating func serviceAllocations(at now: MonotonicInstant) {
        var position = 0
        while position < relays.allocations.count {
            let allocation = relays.allocations[position]
            if allocation.nextAt > now {
                position += 1
            } else if allocation.isRetried || allocation.expiresAt <= now {
                relays.allocations.remove(at: position)
            } else {
                relays.allocations[position].isRetried = true
                ask(allocation)
                position += 1
            }
        }
    }

    /// Numbers requests and bindings; never 0, and other ones after a restart.
    mutating func nextGeneration() -> UInt32 {
        if relays.lastGeneration == 0 {
            relays.lastGeneration = UInt32.random(in: 1...UInt32.max, using: &random)
        }
        relays.lastGeneration = relays.lastGeneration == .max ? 1 : relays.lastGeneration + 1
        return relays.lastGeneration
    }

    // MARK: Messages

    mutating func handleAllocation(
        _ generation: UInt32, _ offer: DiscoMessage.RelayEndpoint, from server: Int,
        at now: MonotonicInstant
    ) -> PathDropReason? {
        guard
            let position = relays.allocations.firstIndex(where: {
                $0.server == server && $0.generation == generation
            })
        else { return drop(.unknownPing) }
        let allocation = relays.allocations[position]
        guard let peer = peers[allocation.peer], isOurs(offer, with: peer) else {
            return drop(.malformed)
        }
        relays.allocations.remove(at: position)
        if let region = peer.relayRegion {
            _ = send(
                .callMeMaybeVia(offer),
                to: .relay(region: region, to: peer.configuration.nodeKey), of: allocation.peer)
        }
        join(offer, for: allocation.peer, at: now)
        return nil
    }

    mutating func handleCallMeMaybeVia(
        _ offer: DiscoMessage.RelayEndpoint, of index: Int, at now: MonotonicInstant
    ) -> PathDropReason? {
        guard peers[index]?.signalling.received.take(at: now) == true else {
            return drop(.rateLimited)
        }
        guard relays.isEnabled, let peer = peers[index], isOurs(offer, with: peer) else {
            return drop(.malformed)
        }
        join(offer, for: index, at: now)
        return nil
    }

    private func isOurs(_ offer: DiscoMessage.RelayEndpoint, with peer: Peer) -> Bool {
        peer.canProbe && (1..<1 << 24).contains(offer.virtualNetwork)
            && offer.clients.sorted() == [discoKey.publicKey, peer.configuration.discoKey].sorted()
            && offer.server != discoKey.publicKey
            && offer.server != peer.configuration.discoKey
    }

    /// Binds to what was offered, unless that is older than what we have or the same and in use.
    private mutating func join(
        _ offer: DiscoMessage.RelayEndpoint, for index: Int, at now: MonotonicInstant
    ) {
        if let known = relays.path(of: index, through: offer.server) {
            guard offer.lamportID >= known.offer.lamportID else { return }
            let isSame = offer.lamportID == known.offer.lamportID
            if isSame, now - known.boundAt < PeerRelayTiming.rebindGap { return }
            if isSame, peers[index]?.selection.endpoint == known.endpoint,
                peers[index]?.isTrusted(at: now) == true
            {
                return
            }
        }
        startHandshake(offer, for: index, at: now)
    }

    /// A peer asks for a way through our relay.
    mutating func handleAllocationRequest(
        _ clients: [DiscoKey], _ generation: UInt32, of index: Int
    ) -> PathDropReason? {
        guard peers[index]?.configuration.relayRoles.contains(.mayUseOurs) == true else {
            return drop(.notPermitted)
        }
        events.append(
            .relayAllocationWanted(peer: index, clients: clients, generation: generation))
        return nil
    }

    /// Answers `relayAllocationWanted`.
    package mutating func sendRelayAllocation(
        _ offer: DiscoMessage.RelayEndpoint, generation: UInt32, to index: Int
    ) {
        guard index < peers.count, let peer = peers[index], let region = peer.relayRegion else {
            return
        }
        _ = send(
            .allocateRelayResponse(generation: generation, offer),
            to: .relay(region: region, to: peer.configuration.nodeKey), of: index)
    }
}
