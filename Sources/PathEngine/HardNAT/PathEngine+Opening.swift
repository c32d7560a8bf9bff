import Disco
import NetTypes
import STUN

// The side behind the hard NAT: see `PathEngine+HardNAT`.
extension PathEngine {
    mutating func startAttempt(with index: Int, at now: MonotonicInstant) {
        guard hardNAT.mappingBudget.remaining(at: now) >= HardNATTiming.attemptMin else {
            peers[index]?.hardNAT.obstacle = .loadReached(.own)
            peers[index]?.hardNAT.notBefore = hardNAT.mappingBudget.nextRelief(at: now) ?? now
            return
        }
        // The path that an earlier attempt found has failed.
        hardNAT.release(index)
        hardNAT.opening = OpeningAttempt(
            peer: index, id: UInt32(truncatingIfNeeded: random.next()), at: now)
        guard let server = hardNAT.stunServers.first else { return endSampling(at: now) }
        for _ in 0..<HardNATTiming.samples {
            guard hardNAT.mappingBudget.take(at: now) else { break }
            let socket = hardNAT.newSocket()
            hardNAT.opening?.spare.append(socket)
            sendSample(by: socket, to: server)
        }
        if hasHardNAT == nil, hardNAT.stunServers.count > 1, hardNAT.mappingBudget.take(at: now),
            let socket = hardNAT.opening?.spare.first
        {
            sendSample(by: socket, to: hardNAT.stunServers[1], isComparison: true)
        }
        hardNAT.opening?.sampledAgainAt = now + HardNATTiming.sampleRetry
    }

    private mutating func sendSample(
        by socket: LocalSocket, to server: Endpoint, isComparison: Bool = false
    ) {
        let id = STUNTransactionID(random: &random)
        hardNAT.opening?.samples.noteSent(id, by: socket, isComparison: isComparison)
        transmits.append(
            PathTransmit(
                destination: .udp(server), bytes: STUNRequest.encode(id), socket: socket))
    }

    /// What the answers say goes to the peer.
    mutating func endSampling(at now: MonotonicInstant) {
        guard var attempt = hardNAT.opening else { return }
        attempt.estimate = attempt.samples.estimate ?? knownEstimate
        hardNAT.opening = attempt
        if hasHardNAT == nil { hardNAT.sampledVariation = attempt.samples.mappingVaries }
        guard isBehindHardNAT else {
            if hasHardNAT == nil {
                peers[attempt.peer]?.hardNAT.notBefore = now + HardNATTiming.unansweredRetry
            }
            hardNAT.endOpening()
            if let request = attempt.answering {
                answerAsEasySide(request, of: attempt.peer, at: now)
            }
            return
        }
        if let request = attempt.answering {
            sendHardNAT(.accept, attempt: request.attempt, to: attempt.peer)
            return meet(request, at: now)
        }
        hardNAT.opening?.phase = .asking(sent: 0)
        peers[attempt.peer]?.hardNAT.obstacle = nil
        ask(at: now)
    }

    /// Without answers of STUN servers, what measuring the network has shown.
    private var knownEstimate: PortEstimate {
        switch natBehavior.allocation {
        case .contiguousBlock(let ports)? where ports.count <= HardNATTiming.blockMax:
            PortEstimate(allocation: .block, ports: ports)
        default: PortEstimate(allocation: .unknown)
        }
    }

    private mutating func ask(at now: MonotonicInstant) {
        guard let attempt = hardNAT.opening, case .asking(let sent) = attempt.phase else { return }
        guard sent < HardNATTiming.requestGaps.count else {
            return endWithSilence(attempt, at: now)
        }
        hardNAT.opening?.phase = .asking(sent: sent + 1)
        hardNAT.opening?.deadline = now + HardNATTiming.requestGaps[sent]
        if !sendHardNAT(.request, attempt: attempt.id, to: attempt.peer) {
            hardNAT.endOpening()
        }
    }

    /// The peer does not speak of hard NATs.
    private mutating func endWithSilence(_ attempt: OpeningAttempt, at now: MonotonicInstant) {
        let index = attempt.peer
        if attempt.estimate.allocation == .sequential || attempt.estimate.allocation == .block,
            let target = peers[index]?.publicIPv4Candidate
        {
            hardNAT.opening?.offersPorts = true
            let limit = min(attempt.suitableLimit, HardNATTiming.blockSockets)
            hardNAT.opening?.open(towards: target, limit: limit, at: now)
            return serviceOpening(at: now)
        }
        noteSilence(of: index, at: now)
        hardNAT.endOpening()
    }

    private mutating func noteSilence(of index: Int, at now: MonotonicInstant) {
        guard var memory = peers[index]?.hardNAT else { return }
        if memory.speaks == nil { memory.speaks = false }
        memory.silences += 1
        memory.notBefore = now + HardNATTiming.silenceBackOff(after: memory.silences)
        memory.obstacle = .peerDoesNotHelp
        peers[index]?.hardNAT = memory
    }

    // MARK: Answers

    mutating func handleAcceptance(
        _ message: HardNATMessage, of index: Int, at now: MonotonicInstant
    ) {
        guard let attempt = hardNAT.opening, attempt.peer == index,
            attempt.id == message.attempt, case .asking = attempt.phase
        else { return }
        meet(message, at: now)
    }

    /// The peer has said where it is: open sockets, if there is any hope.
    mutating func meet(_ message: HardNATMessage, at now: MonotonicInstant) {
        guard let attempt = hardNAT.opening else { return }
        let index = attempt.peer
        let isPeerHard =
            message.mapping == .addressDependent || message.mapping == .addressAndPortDependent
        if isPeerHard,
            attempt.estimate.allocation != .sequential
                || message.allocation != .sequential
        {
            return giveUp(.unpredictable, for: HardNATTiming.hopelessRetry, at: now)
        }
        guard isKnownAddress(message.endpoint, of: index) else {
            return giveUp(.noAddress(.peer), for: HardNATTiming.busyRetry, at: now)
        }
        let limit =
            isPeerHard ? HardNATTiming.doubleSequenceSockets : attempt.suitableLimit
        hardNAT.opening?.open(towards: message.endpoint, limit: limit, at: now)
        serviceOpening(at: now)
    }

    mutating func handleRefusal(
        _ message: HardNATMessage, of index: Int, at now: MonotonicInstant
    ) {
        guard let attempt = hardNAT.opening, attempt.peer == index, attempt.id == message.attempt
        else {
            // Said by a hard side that does not ask.
            if message.refusal == .switchedOff {
                peers[index]?.hardNAT.obstacle = .switchedOff(.peer)
            }
            return
        }
        switch message.refusal {
        case .busy, .strangeAddress, .none:
            giveUp(.busy(.peer), for: HardNATTiming.busyRetry, at: now)
            // The peer has been told our address by CallMeMaybe, or will have been by then.
            hardNAT.want(index, at: now + HardNATTiming.busyRetry)
        case .exhausted, .other:
            giveUp(.loadReached(.peer), for: HardNATTiming.loadWindow / 2, at: now)
        case .noAddress: giveUp(.noAddress(.peer), for: HardNATTiming.loadWindow / 4, at: now)
        case .switchedOff:
            giveUp(.switchedOff(.peer), for: HardNATTiming.hopelessRetry, at: now)
        }
    }

    private mutating func giveUp(
        _ obstacle: HardNATObstacle, for duration: Nanoseconds, at now: MonotonicInstant
    ) {
        guard let index = hardNAT.opening?.peer else { return }
        peers[index]?.hardNAT.obstacle = obstacle
        peers[index]?.hardNAT.notBefore = now + duration
        hardNAT.endOpening()
    }

    // MARK: Time

    mutating func serviceOpening(at now: MonotonicInstant) {
        guard let attempt = hardNAT.opening, attempt.nextDeadline <= now else { return }
        if peers[attempt.peer]?.isDirect(at: now) == true { return endWithSuccess(attempt) }
        switch attempt.phase {
        case .sampling:
            if attempt.deadline <= now { return endSampling(at: now) }
            hardNAT.opening?.sampledAgainAt = nil
            guard let server = hardNAT.stunServers.first else { return }
            for (socket, isComparison) in attempt.samples.unanswered {
                let server = isComparison ? hardNAT.stunServers.last ?? server : server
                sendSample(by: socket, to: server, isComparison: isComparison)
            }
        case .asking: ask(at: now)
        case .opening:
            if attempt.deadline <= now { return endWithoutLuck(attempt, at: now) }
            openSockets(at: now)
        }
    }

    private mutating func openSockets(at now: MonotonicInstant) {
        var count = 0
        while count < HardNATTiming.perTick, hardNAT.opening?.isFull == false {
            count += 1
            // A socket that has asked a STUN server gets another mapping towards the peer.
            guard hardNAT.mappingBudget.take(at: now) else {
                hardNAT.opening?.openNoMore()
                break
            }
            let spare = hardNAT.opening?.spare.isEmpty == false
            let socket =
                (spare ? hardNAT.opening?.spare.removeFirst() : nil) ?? hardNAT.newSocket()
            hardNAT.opening?.sockets.append(socket)
            sendOpeningPing(by: socket, at: now)
        }
        guard let attempt = hardNAT.opening else { return }
        hardNAT.opening?.nextBatchAt =
            now + (attempt.isFull ? HardNATTiming.tick * 5 : HardNATTiming.tick)
        guard attempt.isFull, !attempt.isStopped else { return }
        if let again = attempt.againAt {
            guard again <= now, attempt.limit <= HardNATTiming.blockSockets else { return }
            hardNAT.opening?.againAt = now + HardNATTiming.openTimeout
            for socket in attempt.sockets { sendOpeningPing(by: socket, at: now) }
        } else {
            hardNAT.opening?.againAt = now + HardNATTiming.openAgain
            if attempt.offersPorts { offerPorts(attempt) }
        }
    }

    private mutating func sendOpeningPing(by socket: LocalSocket, at now: MonotonicInstant) {
        guard let attempt = hardNAT.opening, let target = attempt.target else { return }
        let id = PingID(random: &random)
        guard send(.ping(id, nodeKey: nodeKey), to: .udp(target), of: attempt.peer, by: socket)
        else { return }
        countersStorage.pingsSent += 1
        hardNAT.opening?.pings[id] = OpeningAttempt.Opened(socket: socket, sentAt: now)
    }

    /// Every client pings the endpoints of a CallMeMaybe: among them are now those that our sockets
    /// are likely to have got.
    private mutating func offerPorts(_ attempt: OpeningAttempt) {
        guard let region = peers[attempt.peer]?.relayRegion,
            let nodeKey = peers[attempt.peer]?.configuration.nodeKey,
            let address = attempt.samples.address
        else { return }
        let estimate = attempt.estimate
        var ports: [UInt16] = []
        if estimate.allocation == .sequential {
            ports = (1...HardNATTiming.offeredPorts).compactMap { estimate.predicted($0) }
        } else {
            for _ in 0..<HardNATTiming.offeredPorts {
                let offset = random.next(upperBound: UInt64(estimate.ports.count))
                ports.append(estimate.ports.lowerBound + UInt16(offset))
            }
        }
        let own = ownEndpoints.list.map(\.endpoint)
        let offered = ports.map { Endpoint(address, port: $0) }
        let endpoints = own.prefix(PathTiming.callMeMaybeEndpointsMax - offered.count) + offered
        _ = send(
            .callMeMaybe(Array(endpoints)), to: .relay(region: region, to: nodeKey),
            of: attempt.peer)
    }

    private mutating func endWithSuccess(_ attempt: OpeningAttempt) {
        peers[attempt.peer]?.hardNAT.failures = 0
        peers[attempt.peer]?.hardNAT.obstacle = nil
        if hardNAT.bindings.contains(where: { $0.peer == attempt.peer }) {
            if peers[attempt.peer]?.hardNAT.hasSucceeded == false {
                peers[attempt.peer]?.hardNAT.hasSucceeded = true
                events.append(.hardNATPassed(peer: attempt.peer))
            }
            sendHardNAT(.done, attempt: attempt.id, to: attempt.peer)
        }
        hardNAT.endOpening()
    }

    private mutating func endWithoutLuck(_ attempt: OpeningAttempt, at now: MonotonicInstant) {
        if attempt.offersPorts {
            noteSilence(of: attempt.peer, at: now)
        } else if var memory = peers[attempt.peer]?.hardNAT {
            memory.failures += 1
            let isRoomless =
                attempt.samples.address == nil && !hardNAT.stunServers.isEmpty
                && ownPublicIPv4 != nil
            memory.obstacle = isRoomless ? .noRoom : .failed(attempts: memory.failures)
            memory.notBefore = now + HardNATTiming.backOff(after: memory.failures)
            peers[attempt.peer]?.hardNAT = memory
        }
        hardNAT.release(attempt.peer)
        hardNAT.endOpening()
    }
}

extension Peer {
    /// Where the peer is on the internet, by its own word.
    var publicIPv4Candidate: Endpoint? {
        let isPublic = { (candidate: Candidate) in
            candidate.endpoint.address.isIPv4 && !candidate.endpoint.address.isPrivate
                && !candidate.sources.isDisjoint(with: [.callMeMaybe, .netmap])
        }
        return candidates.candidates.first(where: isPublic)?.endpoint
    }
}
