import Disco
import NetTypes

// Messages about hard NATs, and the side that probes: see `PathEngine+HardNAT`.
extension PathEngine {
    mutating func handleHardNAT(
        _ message: HardNATMessage, of index: Int, at now: MonotonicInstant
    ) -> PathDropReason? {
        guard peers[index]?.hardNAT.received.take(at: now) == true else {
            return drop(.rateLimited)
        }
        peers[index]?.hardNAT.speaks = true
        peers[index]?.hardNAT.silences = 0
        if let mapping = message.mapping { peers[index]?.hardNAT.mapping = mapping }
        switch message.phase {
        case .request: answer(message, of: index, at: now)
        case .accept: handleAcceptance(message, of: index, at: now)
        case .decline: handleRefusal(message, of: index, at: now)
        case .done:
            if hardNAT.probing?.peer == index, hardNAT.probing?.id == message.attempt {
                hardNAT.probing = nil
            }
            if hardNAT.opening?.peer == index, hardNAT.opening?.id == message.attempt {
                hardNAT.opening?.isStopped = true
            }
        }
        return nil
    }

    /// Tells the peer where our mappings are, or will be.
    @discardableResult
    mutating func sendHardNAT(
        _ phase: HardNATMessage.Phase, attempt: UInt32, refusal: HardNATMessage.Refusal = .none,
        to index: Int
    ) -> Bool {
        guard let region = peers[index]?.relayRegion,
            let nodeKey = peers[index]?.configuration.nodeKey
        else { return false }
        var message = HardNATMessage(phase, attempt: attempt, refusal: refusal)
        message.mapping = natBehavior.mapping
        if message.mapping == nil, isBehindHardNAT { message.mapping = .addressAndPortDependent }
        if let own = ownPublicIPv4 { message.endpoint = own }
        if let opening = hardNAT.opening, opening.peer == index {
            let estimate = opening.estimate
            if let address = opening.samples.address { message.endpoint.address = address }
            message.allocation = estimate.allocation
            message.ports = estimate.ports
            if estimate.allocation == .sequential {
                message.ports = estimate.window(2 * HardNATTiming.sequenceSockets)
                let middle = HardNATTiming.doubleSequenceSockets / 2
                message.endpoint.port = estimate.predicted(middle) ?? 0
            }
        }
        guard phase != .request || message.endpoint.port != 0 else { return false }
        return send(.hardNAT(message), to: .relay(region: region, to: nodeKey), of: index)
    }

    var ownPublicIPv4: Endpoint? {
        ownEndpoints.list.first { $0.kind == .reflexive && $0.endpoint.address.isIPv4 }?.endpoint
    }

    /// Whether many packets may be sent to the address: only one on the internet that the peer itself
    /// or the coordination server has named.
    func isKnownAddress(_ endpoint: Endpoint, of index: Int) -> Bool {
        guard endpoint.address.isIPv4, !endpoint.address.isPrivate,
            CandidateFilter.accepts(endpoint, settings), let peer = peers[index]
        else { return false }
        return peer.candidates.candidates.contains {
            $0.endpoint.address == endpoint.address
                && !$0.sources.isDisjoint(with: [.callMeMaybe, .netmap])
        }
    }

    private mutating func answer(
        _ request: HardNATMessage, of index: Int, at now: MonotonicInstant
    ) {
        guard hardNAT.isEnabled else { return refuse(.switchedOff, request, index) }
        guard ownPublicIPv4 != nil else { return refuse(.noAddress, request, index) }
        guard isKnownAddress(request.endpoint, of: index) else {
            return refuse(.strangeAddress, request, index)
        }
        // Where that is not known yet, the side that may be hard finds it out first.
        if mayBeBehindHardNAT {
            answerAsHardSide(request, of: index, at: now)
        } else {
            answerAsEasySide(request, of: index, at: now)
        }
    }

    private mutating func refuse(
        _ refusal: HardNATMessage.Refusal, _ request: HardNATMessage, _ index: Int
    ) {
        switch refusal {
        case .switchedOff: peers[index]?.hardNAT.obstacle = .switchedOff(.own)
        case .busy: peers[index]?.hardNAT.obstacle = .busy(.own)
        case .noAddress: peers[index]?.hardNAT.obstacle = .noAddress(.own)
        case .exhausted: peers[index]?.hardNAT.obstacle = .loadReached(.own)
        case .none, .strangeAddress, .other: break
        }
        sendHardNAT(.decline, attempt: request.attempt, refusal: refusal, to: index)
    }

    private mutating func answerAsHardSide(
        _ request: HardNATMessage, of index: Int, at now: MonotonicInstant
    ) {
        if let opening = hardNAT.opening {
            guard opening.peer == index else { return refuse(.busy, request, index) }
            switch opening.phase {
            // Both ask at once: each has all it needs of the other. One that is not ready answers.
            case .asking: meet(request, at: now)
            case .sampling: hardNAT.opening?.answering = request
            case .opening: break
            }
            return
        }
        guard request.allocation == .sequential || hasHardNAT == nil else {
            // What our own NAT does makes no difference.
            peers[index]?.hardNAT.obstacle = .unpredictable
            peers[index]?.hardNAT.notBefore = now + HardNATTiming.hopelessRetry
            sendHardNAT(.accept, attempt: request.attempt, to: index)
            return
        }
        startAttempt(with: index, at: now)
        guard hardNAT.opening?.peer == index else { return refuse(.exhausted, request, index) }
        if hardNAT.opening?.phase == .sampling {
            hardNAT.opening?.answering = request
        } else {
            sendHardNAT(.accept, attempt: request.attempt, to: index)
            meet(request, at: now)
        }
    }

    mutating func answerAsEasySide(
        _ request: HardNATMessage, of index: Int, at now: MonotonicInstant
    ) {
        if let probing = hardNAT.probing {
            guard probing.peer == index else { return refuse(.busy, request, index) }
            if probing.id == request.attempt {
                sendHardNAT(.accept, attempt: request.attempt, to: index)
                return
            }
            hardNAT.probing = nil
        }
        let limit = Self.probeLimit(request)
        guard let memory = peers[index]?.hardNAT, now >= memory.noProbingBefore,
            hardNAT.probeBudget.remaining(at: now) >= min(limit, HardNATTiming.attemptMin)
        else { return refuse(.exhausted, request, index) }
        hardNAT.probing = ProbingAttempt(
            peer: index, id: request.attempt, address: request.endpoint.address,
            ports: request.ports, limit: limit, at: now)
        sendHardNAT(.accept, attempt: request.attempt, to: index)
        serviceProbing(at: now)
    }

    private static func probeLimit(_ request: HardNATMessage) -> Int {
        switch request.allocation {
        case .sequential, .block: min(request.ports.count, HardNATTiming.blockProbes)
        case .unknown, .preserving, .random: min(request.ports.count, HardNATTiming.probesMax)
        }
    }

    // MARK: Time

    mutating func serviceProbing(at now: MonotonicInstant) {
        guard let attempt = hardNAT.probing, attempt.nextDeadline <= now else { return }
        if peers[attempt.peer]?.isDirect(at: now) == true {
            peers[attempt.peer]?.hardNAT.probingFailures = 0
            peers[attempt.peer]?.hardNAT.obstacle = nil
            sendHardNAT(.done, attempt: attempt.id, to: attempt.peer)
            hardNAT.probing = nil
            return
        }
        if attempt.deadline <= now {
            let failures = (peers[attempt.peer]?.hardNAT.probingFailures ?? 0) + 1
            peers[attempt.peer]?.hardNAT.probingFailures = failures
            peers[attempt.peer]?.hardNAT.obstacle = .failed(attempts: failures)
            // A little less than the other side waits, so that it need not wait for us.
            peers[attempt.peer]?.hardNAT.noProbingBefore =
                now + HardNATTiming.backOff(after: failures) - .seconds(30)
            hardNAT.probing = nil
            return
        }
        for _ in 0..<(hardNAT.probing?.takeBatch(at: now) ?? 0) {
            guard hardNAT.probeBudget.take(at: now) else { return }
            sendPortProbe(at: now)
        }
    }

    private mutating func sendPortProbe(at now: MonotonicInstant) {
        guard let attempt = hardNAT.probing,
            let port = hardNAT.probing?.nextPort(random: &random)
        else { return }
        let endpoint = Endpoint(attempt.address, port: port)
        let id = PingID(random: &random)
        if send(.ping(id, nodeKey: nodeKey), to: .udp(endpoint), of: attempt.peer) {
            countersStorage.pingsSent += 1
        }
        hardNAT.probing?.noteSent(id, to: endpoint, at: now)
    }
}
