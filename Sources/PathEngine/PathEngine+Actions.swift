import Disco
import NetTypes

extension PathEngine {
    /// Carries out what the peer's machine asked for.
    mutating func perform(for index: Int, at now: MonotonicInstant) {
        var position = 0
        while position < actions.count {
            let action = actions[position]
            position += 1
            switch action {
            case .ping(let endpoint, let byteCount):
                sendProbe(to: endpoint, byteCount: byteCount, of: index, at: now)
            case .callMeMaybeWanted:
                peers[index]?.signalling.request(generation: ownEndpoints.generation)
                peers[index]?.serviceCallMeMaybe(at: now, into: &actions)
            case .peerRelayWanted: noteRelayWanted(index, at: now)
            case .callMeMaybe: sendCallMeMaybe(to: index, at: now)
            case .relayLikely(let region): events.append(.relayLikely(region: region))
            case .pathChanged(let direct):
                if direct?.isRelayedPath == true {
                    peers[index]?.relaySearch.hasSucceeded = true
                    peers[index]?.relaySearch.notBefore = now + PeerRelayTiming.renewedSearchGap
                }
                events.append(.pathChanged(peer: index, direct: direct))
            case .pingTimedOut(let id): events.append(.pingTimedOut(id: id, peer: index))
            }
        }
        actions.removeAll(keepingCapacity: true)
    }

    private mutating func sendProbe(
        to endpoint: Endpoint, byteCount: Int, of index: Int, at now: MonotonicInstant
    ) {
        guard peers[index]?.pingBudget.take(at: now) == true, pingBudget.take(at: now) else {
            countersStorage.transmitsDropped += 1
            return
        }
        sendPing(to: .udp(endpoint), byteCount: byteCount, of: index, request: nil, at: now)
    }

    /// Pads the datagram to `byteCount`. `request` is the ID of a ping that a person asked for.
    mutating func sendPing(
        to destination: PathDestination, byteCount: Int = 0, of index: Int, request: UInt64?,
        at now: MonotonicInstant
    ) {
        let id = PingID(random: &random)
        let size = max(byteCount, PathTiming.plainPingByteCount)
        guard
            send(
                .ping(id, nodeKey: nodeKey), to: destination, of: index,
                padding: size - PathTiming.plainPingByteCount)
        else { return }
        countersStorage.pingsSent += 1
        peers[index]?.pings.insert(
            OutstandingPings.Ping(
                id: id, destination: destination, sentAt: now, byteCount: size, request: request))
    }

    /// Tells the peer our endpoints by relay. With none to tell, the message waits for the STUN round
    /// that is asked for; with old ones it goes out and that round may bring another.
    private mutating func sendCallMeMaybe(to index: Int, at now: MonotonicInstant) {
        if !ownEndpoints.areFresh(at: now) { requestFreshEndpoints(at: now) }
        guard let peer = peers[index], let region = peer.relayRegion else { return }
        noteDirectWanted(index, at: now)
        let endpoints = ownEndpoints.list.map(\.endpoint) + extraEndpoints(for: index)
        guard !endpoints.isEmpty,
            send(
                .callMeMaybe(endpoints),
                to: .relay(region: region, to: peer.configuration.nodeKey), of: index)
        else { return }
        countersStorage.callMeMaybesSent += 1
        peers[index]?.signalling.noteSent(generation: ownEndpoints.generation, at: now)
    }

    private mutating func requestFreshEndpoints(at now: MonotonicInstant) {
        guard
            endpointsRequestedAt == .never
                || now - endpointsRequestedAt >= PathTiming.endpointRequestGap
        else { return }
        endpointsRequestedAt = now
        events.append(.freshEndpointsWanted)
    }

    /// Seals a message for the peer and queues it, to leave by `socket` or else by that which packets
    /// to the endpoint take. False when the peer has no usable disco key.
    mutating func send(
        _ message: DiscoMessage, to destination: PathDestination, of index: Int, padding: Int = 0,
        by socket: LocalSocket? = nil
    ) -> Bool {
        guard let box = discoBox(of: index) else { return false }
        let plaintext = message.encoded(padding: padding)
        let bytes = unsafe box.seal(plaintext.span.bytes, random: &random)
        var transmit = PathTransmit(destination: destination, bytes: bytes)
        if case .udp(let endpoint) = destination, endpoint.isRelayedPath {
            guard let relay = peerRelay(at: endpoint) else { return false }
            let header = GeneveHeader(
                content: .disco, virtualNetwork: relay.virtualNetwork, isControl: false)
            transmit = PathTransmit(destination: .udp(relay.server), bytes: header.encoded + bytes)
        } else if case .udp(let endpoint) = destination {
            transmit.socket = socket ?? localSocket(to: endpoint)
        }
        transmits.append(transmit)
        return true
    }

    /// The peer's box, made at first use.
    mutating func discoBox(of index: Int) -> DiscoBox? {
        guard let peer = peers[index], peer.canProbe else { return nil }
        if let box = peer.box { return box }
        let box = DiscoBox(own: discoKey, peer: peer.configuration.discoKey)
        peers[index]?.box = box
        return box
    }
}
