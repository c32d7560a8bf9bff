internal import Disco
package import NetTypes

extension PeerRelayServer {
    /// Takes a datagram that came to the relay's socket.
    package mutating func handle(
        _ datagram: RawSpan, from source: Endpoint, at now: MonotonicInstant
    ) -> PeerRelayVerdict {
        guard let header = GeneveHeader(datagram) else { return drop(.notGeneve) }
        if header.isControl {
            return handleControl(datagram, header, from: source, at: now)
        }
        guard let index = allocations.index(forKey: header.virtualNetwork) else {
            return drop(.unknownNetwork)
        }
        guard !allocations.values[index].isExpired(at: now, limits) else {
            return drop(.unknownNetwork)
        }
        guard allocations.values[index].isBound else { return drop(.notBound) }
        guard let other = allocations.values[index].otherEnd(of: source) else {
            return drop(.unknownSource)
        }
        allocations.values[index].lastSeenAt = now
        counters.forwardedPackets += 1
        counters.forwardedBytes += datagram.byteCount
        return .forward(to: other)
    }

    /// A message for the relay itself: sealed by one of the two clients for the server's key.
    private mutating func handleControl(
        _ datagram: RawSpan, _ header: GeneveHeader, from source: Endpoint,
        at now: MonotonicInstant
    ) -> PeerRelayVerdict {
        guard let allocation = allocations[header.virtualNetwork],
            !allocation.isExpired(at: now, limits)
        else { return drop(.unknownNetwork) }
        let body = datagram.extracting(GeneveHeader.byteCount..<datagram.byteCount)
        guard header.content == .disco, let envelope = DiscoEnvelope(body) else {
            return drop(.malformed)
        }
        let client = envelope.sender
        let side: Allocation.Side
        if client == allocation.clients.first {
            side = allocation.sides.0
        } else if client == allocation.clients.second {
            side = allocation.sides.1
        } else {
            return drop(.notAuthentic)
        }
        guard let plaintext = side.box.open(envelope) else { return drop(.notAuthentic) }
        let message: DiscoMessage
        do throws(DiscoMessage.ParseError) {
            message = try unsafe DiscoMessage(plaintext.span.bytes)
        } catch {
            return drop(.malformed)
        }
        switch message {
        case .bindRelay(let binding) where isValid(binding, of: client, in: allocation):
            guard datagram.byteCount >= Self.bindingByteCount else { return drop(.malformed) }
            return challenge(binding, client, from: source, at: now)
        case .bindRelayAnswer(let binding) where isValid(binding, of: client, in: allocation):
            return bind(binding, side, from: source, at: now)
        default: return drop(.malformed)
        }
    }

    /// A request, a challenge and an answer are of the same length.
    private static var bindingByteCount: Int {
        GeneveHeader.byteCount + DiscoEnvelope.byteCountMin + 72
    }

    private func isValid(
        _ binding: DiscoMessage.RelayBinding, of client: DiscoKey, in allocation: Allocation
    ) -> Bool {
        binding.virtualNetwork == allocation.virtualNetwork && binding.generation != 0
            && binding.remote == allocation.other(than: client)
    }

    private mutating func challenge(
        _ binding: DiscoMessage.RelayBinding, _ client: DiscoKey, from source: Endpoint,
        at now: MonotonicInstant
    ) -> PeerRelayVerdict {
        let network = binding.virtualNetwork
        let box = allocations[network]?.update(client) { side -> DiscoBox? in
            guard side.budget.take(at: now) else { return nil }
            side.challenged = binding.generation
            return side.box
        }
        guard let box = box ?? nil else { return drop(.rateLimited) }
        secrets.rotate(at: now, random: &random)
        var answer = binding
        answer.challenge = secrets.challenge(binding, client: client, from: source)
        let plaintext = DiscoMessage.bindRelayChallenge(answer).encoded()
        let header = GeneveHeader(content: .disco, virtualNetwork: network, isControl: true)
        counters.challenges += 1
        let sealed = unsafe box.seal(plaintext.span.bytes, random: &random)
        return .reply(header.encoded + sealed)
    }

    private mutating func bind(
        _ binding: DiscoMessage.RelayBinding, _ side: Allocation.Side, from source: Endpoint,
        at now: MonotonicInstant
    ) -> PeerRelayVerdict {
        secrets.rotate(at: now, random: &random)
        let isRepeated = side.used.contains(binding.generation) && side.endpoint != source
        guard binding.generation == side.challenged, !isRepeated,
            secrets.accepts(binding, client: side.client, from: source)
        else { return drop(.badChallenge) }
        allocations[binding.virtualNetwork]?.lastSeenAt = now
        _ = allocations[binding.virtualNetwork]?.update(side.client) { side in
            side.endpoint = source
            guard !side.used.contains(binding.generation) else { return }
            if side.used.count == Allocation.Side.usedMax { side.used.removeFirst() }
            side.used.append(binding.generation)
        }
        counters.binds += 1
        return .bound
    }

    private mutating func drop(_ reason: PeerRelayDropReason) -> PeerRelayVerdict {
        counters.dropped[reason, default: 0] += 1
        return .drop(reason)
    }
}
