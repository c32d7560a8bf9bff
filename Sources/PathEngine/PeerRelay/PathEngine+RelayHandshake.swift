import CryptoPrimitives
import Disco
import NetTypes

extension PathEngine {
    /// Binds to the relay for a pair, at all of its addresses at once.
    mutating func startHandshake(
        _ offer: DiscoMessage.RelayEndpoint, for index: Int, at now: MonotonicInstant
    ) {
        let isUnderWay = relays.handshakes.contains {
            $0.peer == index && $0.offer.server == offer.server
                && $0.offer.lamportID >= offer.lamportID
        }
        guard !isUnderWay else { return }
        relays.handshakes.removeAll { $0.peer == index && $0.offer.server == offer.server }
        let addresses = offer.endpoints.filter { CandidateFilter.accepts($0, settings) }
            .prefix(PeerRelayTiming.addressesMax)
        guard !addresses.isEmpty, relays.handshakes.count < PeerRelayTiming.handshakesMax,
            let box = DiscoBox(own: discoKey, peer: offer.server)
        else { return }
        relays.handshakes.append(
            RelayHandshake(
                peer: index, offer: offer, box: box, generation: nextGeneration(),
                addresses: Array(addresses), at: now))
        serviceHandshakes(at: now)
    }

    mutating func serviceHandshakes(at now: MonotonicInstant) {
        for position in relays.handshakes.indices where relays.handshakes[position].nextAt <= now {
            let handshake = relays.handshakes[position]
            relays.handshakes[position].noteSent(at: now)
            if !relays.handshakes[position].hasEnded { send(handshake) }
        }
        relays.handshakes.removeAll { $0.hasEnded && $0.nextAt <= now }
    }

    private mutating func send(_ handshake: RelayHandshake) {
        if let answer = handshake.answer {
            sendControl(answer.message, to: answer.address, handshake)
            return
        }
        let binding = DiscoMessage.RelayBinding(
            virtualNetwork: handshake.offer.virtualNetwork, generation: handshake.generation,
            remote: handshake.offer.other(than: discoKey.publicKey), challenge: Bytes32())
        for address in handshake.addresses {
            sendControl(.bindRelay(binding), to: address, handshake)
        }
    }

    private mutating func sendControl(
        _ message: DiscoMessage, to address: Endpoint, _ handshake: RelayHandshake
    ) {
        let header = GeneveHeader(
            content: .disco, virtualNetwork: handshake.offer.virtualNetwork, isControl: true)
        let plaintext = message.encoded()
        let sealed = unsafe handshake.box.seal(plaintext.span.bytes, random: &random)
        transmits.append(PathTransmit(destination: .udp(address), bytes: header.encoded + sealed))
    }

    /// A relay wants to know that we are where we seem to be.
    mutating func handleChallenge(
        _ envelope: borrowing DiscoEnvelope, _ header: GeneveHeader, from address: Endpoint,
        at now: MonotonicInstant
    ) -> PathDropReason? {
        let sender = envelope.sender
        guard
            let position = relays.handshakes.firstIndex(where: {
                $0.offer.server == sender && $0.offer.virtualNetwork == header.virtualNetwork
            })
        else { return drop(.unknownSender) }
        let handshake = relays.handshakes[position]
        guard let plaintext = handshake.box.open(envelope) else { return drop(.notAuthentic) }
        let message: DiscoMessage
        do throws(DiscoMessage.ParseError) {
            message = try unsafe DiscoMessage(plaintext.span.bytes)
        } catch {
            return drop(.malformed)
        }
        guard case .bindRelayChallenge(let binding) = message,
            binding.virtualNetwork == handshake.offer.virtualNetwork,
            binding.generation == handshake.generation,
            binding.remote == handshake.offer.other(than: discoKey.publicKey)
        else { return drop(.malformed) }
        // Of several addresses the first to answer is the best.
        guard handshake.answer == nil, handshake.addresses.contains(address) else { return nil }
        relays.handshakes[position].noteChallenge(binding, from: address, at: now)
        serviceHandshakes(at: now)
        noteBound(handshake, at: address, now: now)
        return nil
    }

    /// The relay knows where we are as soon as our answer is there: the way is worth a ping.
    private mutating func noteBound(
        _ handshake: RelayHandshake, at address: Endpoint, now: MonotonicInstant
    ) {
        let index = handshake.peer
        guard let endpoint = relays.keep(handshake, at: address, now: now) else { return }
        if relays.sweepAt == nil { relays.sweepAt = now + PeerRelayTiming.sweepInterval }
        peers[index]?.noteRelayedPath(endpoint, at: now)
        peers[index]?.serviceProbes(at: now, into: &actions)
        perform(for: index, at: now)
        reschedule(index, at: now)
    }

    /// Something came through: the relay has our answer.
    mutating func noteThrough(_ path: RelayedPath) {
        relays.handshakes.removeAll {
            $0.peer == path.peer && $0.offer.server == path.server && $0.answer != nil
        }
    }

    mutating func forgetRelayedPaths(
        at now: MonotonicInstant, where body: (RelayedPath) -> Bool
    ) {
        for path in relays.paths where body(path) {
            if peers[path.peer]?.selection.endpoint == path.endpoint {
                peers[path.peer]?.giveUpSelection(into: &actions)
            }
            peers[path.peer]?.candidates.remove(path.endpoint)
            perform(for: path.peer, at: now)
            reschedule(path.peer, at: now)
        }
        relays.removePaths(where: body)
    }
}

/// What is remembered about asking relays for ways to a peer.
struct RelaySearch {
    var notBefore = MonotonicInstant.never
    /// The last search has led to a path that worked.
    var hasSucceeded = false
}

extension Peer {
    /// We are bound to a relay that can carry packets to the peer.
    mutating func noteRelayedPath(_ endpoint: Endpoint, at now: MonotonicInstant) {
        candidates.add(endpoint, .peerRelay, keeping: selection.endpoint, at: now)
        candidates.update(endpoint) { $0.probe.start(at: now) }
    }
}

extension DiscoMessage.RelayEndpoint {
    func other(than client: DiscoKey) -> DiscoKey {
        clients[0] == client ? clients[1] : clients[0]
    }
}
