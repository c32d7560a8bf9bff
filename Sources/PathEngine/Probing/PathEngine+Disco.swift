internal import Disco
package import NetTypes

extension PathEngine {
    /// Takes a datagram that `classify` calls disco, or a relayed packet that looks like it. Returns
    /// why it was not acted upon; that is counted as well.
    @discardableResult
    package mutating func handleDisco(
        _ datagram: RawSpan, from source: PacketSource, by socket: LocalSocket = .main,
        at now: MonotonicInstant
    ) -> PathDropReason? {
        guard let envelope = DiscoEnvelope(datagram) else { return drop(.notDisco) }
        // Only behind a Geneve header does something come by a peer relay.
        if case .direct(let endpoint) = source, endpoint.isRelayedPath {
            return drop(.wrongCarrier)
        }
        return open(envelope, from: source, by: socket, at: now)
    }

    mutating func open(
        _ envelope: borrowing DiscoEnvelope, from source: PacketSource, by socket: LocalSocket,
        at now: MonotonicInstant
    ) -> PathDropReason? {
        guard let indices = indicesByDiscoKey[envelope.sender], let first = indices.first else {
            return drop(.unknownSender)
        }
        guard let box = discoBox(of: first), let plaintext = box.open(envelope) else {
            return drop(.notAuthentic)
        }
        return unsafe handleDiscoMessage(
            plaintext.span.bytes, sender: envelope.sender, from: source, by: socket, at: now)
    }

    /// The part of `handleDisco` behind the decryption: the plaintext of a box whose sender holds the
    /// disco key `sender`. Also where a fuzzer comes in.
    @discardableResult
    package mutating func handleDiscoMessage(
        _ plaintext: RawSpan, sender: DiscoKey, from source: PacketSource,
        by socket: LocalSocket = .main, at now: MonotonicInstant
    ) -> PathDropReason? {
        guard let indices = indicesByDiscoKey[sender] else { return drop(.unknownSender) }
        let message: DiscoMessage
        do throws(DiscoMessage.ParseError) {
            message = try DiscoMessage(plaintext)
        } catch {
            if case .truncated = error { return drop(.malformed) }
            return drop(.ignoredType)
        }
        // Behind one disco key there is mostly one node; a relay names the node in any case.
        var relayed: Int?
        if case .relay(_, let nodeKey) = source {
            relayed = indices.first { peers[$0]?.configuration.nodeKey == nodeKey }
            guard relayed != nil else { return drop(.senderMismatch) }
        }
        switch message {
        case .ping(let id, let nodeKey):
            let named = nodeKey.map { key in
                indices.first { peers[$0]?.configuration.nodeKey == key }
            }
            guard let index = named ?? relayed ?? (indices.count == 1 ? indices[0] : nil),
                relayed == nil || relayed == index
            else { return drop(.senderMismatch) }
            return handlePing(id, of: index, from: source, by: socket, at: now)
        case .pong(let id, let seen):
            return handlePong(id, ofOneOf: indices, seen: seen, from: source, at: now)
        case .callMeMaybe(let endpoints):
            guard let relayed else { return drop(.wrongCarrier) }
            return handleCallMeMaybe(endpoints, of: relayed, from: source, at: now)
        case .hardNAT(let message):
            guard let relayed else { return drop(.wrongCarrier) }
            return handleHardNAT(message, of: relayed, at: now)
        case .callMeMaybeVia(let offer):
            guard let relayed else { return drop(.wrongCarrier) }
            return handleCallMeMaybeVia(offer, of: relayed, at: now)
        case .allocateRelayRequest(let clients, let generation):
            guard let relayed, clients.contains(sender) else { return drop(.wrongCarrier) }
            return handleAllocationRequest(clients, generation, of: relayed)
        case .allocateRelayResponse(let generation, let offer):
            guard let relayed else { return drop(.wrongCarrier) }
            return handleAllocation(generation, offer, from: relayed, at: now)
        case .bindRelay, .bindRelayChallenge, .bindRelayAnswer: return drop(.ignoredType)
        }
    }

    private mutating func handlePing(
        _ id: PingID, of index: Int, from source: PacketSource, by socket: LocalSocket,
        at now: MonotonicInstant
    ) -> PathDropReason? {
        countersStorage.pingsReceived += 1
        guard peers[index]?.pongBudget.take(at: now) == true else { return drop(.rateLimited) }
        countersStorage.pongsSent += 1
        switch source {
        case .relay(let region, let nodeKey):
            peers[index]?.noteRelay(region)
            // The address by which this protocol calls a relay region.
            let port = UInt16(truncatingIfNeeded: region)
            _ = send(
                .pong(id, source: Endpoint(.v4(IPv4Address(127, 3, 3, 40)), port: port)),
                to: .relay(region: region, to: nodeKey), of: index)
        case .direct(let endpoint):
            let seen = peerRelay(at: endpoint)?.server ?? endpoint
            _ = send(.pong(id, source: seen), to: .udp(endpoint), of: index, by: socket)
            noteHeard(from: endpoint, of: index, by: socket, at: now)
            guard accepts(endpoint) else { return nil }
            peers[index]?.notePing(from: endpoint, at: now, into: &actions)
            perform(for: index, at: now)
        }
        reschedule(index, at: now)
        return nil
    }

    private mutating func handlePong(
        _ id: PingID, ofOneOf indices: [Int], seen: Endpoint, from source: PacketSource,
        at now: MonotonicInstant
    ) -> PathDropReason? {
        for index in indices {
            if case .direct = source, takePongOfAttempt(id, of: index, seen: seen, at: now) {
                countersStorage.pongsReceived += 1
                return nil
            }
            guard let ping = peers[index]?.pings.take(id) else { continue }
            countersStorage.pongsReceived += 1
            let roundTrip = now - ping.sentAt
            switch (ping.destination, source) {
            case (.udp(let endpoint), .direct(let answering))
            where !endpoint.isRelayedPath && !answering.isRelayedPath || endpoint == answering:
                peers[index]?.noteSizeAnswer(
                    ping.byteCount, from: endpoint, at: now)
                peers[index]?.notePong(
                    from: endpoint, roundTrip: roundTrip, at: now, into: &actions)
            case (.relay(let region, _), .relay): peers[index]?.noteRelay(region)
            default:
                // A pong that changed carriers proves nothing.
                return drop(.wrongCarrier)
            }
            if let request = ping.request {
                events.append(
                    .pingAnswered(
                        id: request, peer: index, from: ping.destination, roundTrip: roundTrip))
            }
            perform(for: index, at: now)
            reschedule(index, at: now)
            return nil
        }
        return drop(.unknownPing)
    }

    private mutating func handleCallMeMaybe(
        _ endpoints: [Endpoint], of index: Int, from source: PacketSource, at now: MonotonicInstant
    ) -> PathDropReason? {
        countersStorage.callMeMaybesReceived += 1
        guard peers[index]?.signalling.received.take(at: now) == true else {
            return drop(.rateLimited)
        }
        if case .relay(let region, _) = source { peers[index]?.noteRelay(region) }
        let usable = endpoints.filter { CandidateFilter.accepts($0, settings) }
        peers[index]?.noteCallMeMaybe(usable, at: now)
        if peers[index]?.isDirect(at: now) == false {
            answerCallMeMaybe(of: index, at: now)
            noteDirectWanted(index, at: now)
            noteRelayWanted(index, at: now)
        }
        peers[index]?.service(at: now, into: &actions)
        perform(for: index, at: now)
        reschedule(index, at: now)
        return nil
    }

    /// The peer wants a path and may not know where we are now.
    private mutating func answerCallMeMaybe(of index: Int, at now: MonotonicInstant) {
        guard let peer = peers[index] else { return }
        let signalling = peer.signalling
        let gap =
            peer.isHopeless ? PathTiming.hopelessAnswerGap : PathTiming.callMeMaybeAnswerGap
        let isRecent = signalling.lastSentAt != .never && now - signalling.lastSentAt < gap
        if !isRecent || signalling.isOutdated(generation: ownEndpoints.generation) {
            peers[index]?.signalling.request(generation: ownEndpoints.generation)
        }
    }

    /// Whether the source of a packet is worth a ping.
    func accepts(_ endpoint: Endpoint) -> Bool {
        endpoint.isRelayedPath
            ? peerRelay(at: endpoint) != nil : CandidateFilter.accepts(endpoint, settings)
    }

    @discardableResult
    mutating func drop(_ reason: PathDropReason) -> PathDropReason {
        countersStorage.dropped[reason, default: 0] += 1
        return reason
    }

    /// Pings the peer for a person; the answers come as events with `id`. Counts as activity.
    package mutating func startPing(
        id: UInt64, peer index: Int, scope: PingScope, at now: MonotonicInstant
    ) {
        let route = route(for: index, at: now)
        guard index < peers.count, let peer = peers[index], peer.canProbe else {
            events.append(.pingTimedOut(id: id, peer: index))
            return
        }
        var destinations: [PathDestination] = []
        if scope == .all {
            destinations = peer.candidates.candidates.map { .udp($0.endpoint) }
        } else if let direct = route.direct, route.relayRegion == nil {
            destinations = [.udp(direct)]
        }
        if scope == .all || destinations.isEmpty, let region = peer.relayRegion {
            destinations.append(.relay(region: region, to: peer.configuration.nodeKey))
        }
        for destination in destinations {
            sendPing(to: destination, of: index, request: id, at: now)
        }
        if destinations.isEmpty { events.append(.pingTimedOut(id: id, peer: index)) }
        peers[index]?.service(at: now, into: &actions)
        perform(for: index, at: now)
        reschedule(index, at: now)
    }
}
