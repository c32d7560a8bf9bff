import NetTypes
import PortMappingMessages

/// One gateway address: the search for what it speaks, the request under way, the mapping held.
struct GatewaySide {
    /// What the gateway showed of one protocol.
    struct Knowledge {
        var hasAnswered = false
        /// Whether it did in the search before this one.
        var answeredBefore: Bool?
        /// It does not do what we want before this.
        var refusedUntil: MonotonicInstant?
        var refusalCount = 0
    }
    struct Search {
        let startedAt: MonotonicInstant
        let probeTimes: [Nanoseconds]
        var probesSent = 0
        /// What a NAT-PMP server has said in this search, which need not be asked again.
        var externalAddress: IPv4Address?
        /// When the best that has answered is chosen.
        var decideAt: MonotonicInstant?
        var endsAt: MonotonicInstant { startedAt + PortMappingTiming.searchDuration }
        var nextProbeAt: MonotonicInstant? {
            probesSent < probeTimes.count ? startedAt + probeTimes[probesSent] : nil
        }
    }
    /// A request by datagram, PCP or NAT-PMP.
    struct Request {
        let `protocol`: PortMappingProtocol
        var tries = 0
        var nextTryAt: MonotonicInstant
        /// Both parts of NAT-PMP's answer are needed.
        var address: IPv4Address?
        var port: (external: UInt16, lifetime: UInt32)?
    }
    struct Mapping {
        let `protocol`: PortMappingProtocol
        var external: Endpoint
        var lifetime: Nanoseconds
        var expiresAt: MonotonicInstant
        var renewAt: MonotonicInstant
        var isReachable: Bool
        /// By UPnP: where it was made, and the number of the pinhole.
        var service: GatewayDescription.Service?
        var pinhole: UInt16?
    }
    enum Stage {
        case fresh
        case working
        case releasing(until: MonotonicInstant, nextTryAt: MonotonicInstant)
        case released
    }

    let link: GatewayLink
    let nonce: PCPNonce
    var stage = Stage.fresh
    var knowledge = [Knowledge](repeating: Knowledge(), count: 3)
    var search: Search?
    var request: Request?
    var upnp = UPnPSession()
    var mapping: Mapping?
    /// How what is being removed was made.
    var releasing: PortMappingProtocol?
    /// The gateway lost its mappings: what is held is no more than a hope.
    var isMappingDoubtful = false
    var epochs = [EpochWatch(), EpochWatch()]
    var nextCheckAt: MonotonicInstant?
    var restUntil: MonotonicInstant?
    var restCount = 0
    var remapNotBefore: MonotonicInstant?
    var restartGap = PortMappingTiming.restartGapMin
    var wishedPort: UInt16
    var problem: String?

    init(_ link: GatewayLink, _ memory: PortMappingMemory) {
        self.link = link
        nonce = memory.nonce
        wishedPort = memory.externalPort == 0 ? link.port : memory.externalPort
    }

    var isReleased: Bool { if case .released = stage { true } else { false } }
    var isWorking: Bool { if case .working = stage { true } else { false } }
    var server: Endpoint { Endpoint(link.gateway, port: PortMappingPort.server) }

    var nextDeadline: MonotonicInstant? {
        switch stage {
        case .fresh, .released: return nil
        case .releasing(let until, let nextTryAt): return min(until, nextTryAt)
        case .working: break
        }
        var deadline = earliest(search?.nextProbeAt, earliest(search?.decideAt, search?.endsAt))
        deadline = earliest(deadline, earliest(request?.nextTryAt, upnp.exchange?.deadline))
        deadline = earliest(deadline, earliest(nextCheckAt, restUntil))
        guard let mapping else { return deadline }
        deadline = earliest(deadline, mapping.expiresAt)
        return isAsking ? deadline : earliest(deadline, mapping.renewAt)
    }

    var isAsking: Bool { request != nil || upnp.exchange != nil }

    // MARK: Life

    /// Starts, or looks after what is held when something about the network has changed.
    mutating func begin(at now: MonotonicInstant, into output: inout PortMappingOutput) {
        switch stage {
        case .fresh:
            stage = .working
            startSearch(at: now, into: &output)
        case .working where mapping != nil: check(at: now, into: &output)
        case .working where restUntil != nil:
            restCount = 0
            startSearch(at: now, into: &output)
        case .working, .releasing, .released: break
        }
    }

    func abandon(into output: inout PortMappingOutput) {
        if let exchange = upnp.exchange { output.abandon(exchange.id) }
    }

    mutating func handleTimeout(
        random: inout some RandomNumberGenerator, at now: MonotonicInstant,
        into output: inout PortMappingOutput
    ) {
        if case .releasing(let until, let nextTryAt) = stage {
            if until <= now {
                abandon(into: &output)
                upnp.exchange = nil
                stage = .released
            } else if nextTryAt <= now {
                sendRelease(at: now, into: &output)
            }
            return
        }
        guard isWorking else { return }
        serveSearch(at: now, into: &output)
        serveRequest(at: now, into: &output)
        if let exchange = upnp.exchange, exchange.deadline <= now {
            output.abandon(exchange.id)
            handleExchange(nil, random: &random, at: now, into: &output)
        }
        serveMapping(at: now, into: &output)
        if let until = restUntil, until <= now { startSearch(at: now, into: &output) }
    }

    private mutating func serveMapping(
        at now: MonotonicInstant, into output: inout PortMappingOutput
    ) {
        guard let held = mapping else { return }
        guard held.expiresAt > now else {
            return lose("the gateway no longer renews the mapping", at: now, into: &output)
        }
        if held.renewAt <= now, !isAsking { ask(held.protocol, at: now, into: &output) }
        if let checkAt = nextCheckAt, checkAt <= now { check(at: now, into: &output) }
    }

    mutating func lose(
        _ reason: String, at now: MonotonicInstant, into output: inout PortMappingOutput
    ) {
        mapping = nil
        isMappingDoubtful = false
        nextCheckAt = nil
        problem = reason
        cancelAsking(into: &output)
        startSearch(at: now, into: &output)
    }

    mutating func cancelAsking(into output: inout PortMappingOutput) {
        request = nil
        abandon(into: &output)
        upnp.exchange = nil
    }

    /// Asks the gateway, by a question that changes nothing, whether it was restarted.
    private mutating func check(at now: MonotonicInstant, into output: inout PortMappingOutput) {
        nextCheckAt = nil
        guard let mapping else { return }
        switch mapping.protocol {
        case .pcp: output.send(PCPRequest.announce(client: link.own.address), to: server)
        case .natPMP: output.send(NATPMPRequest.externalAddress, to: server)
        // Asking for it again is the question.
        case .upnp: return
        }
        nextCheckAt = now + PortMappingTiming.checkInterval
    }

    /// A sign that the gateway was restarted, and has lost what it had mapped.
    mutating func noteRestart(at now: MonotonicInstant, into output: inout PortMappingOutput) {
        guard let held = mapping, !isAsking else { return }
        // A gateway that never ends to give signs must not keep us asking.
        if let earliest = remapNotBefore, now < earliest {
            mapping?.renewAt = min(held.renewAt, earliest)
            return
        }
        if let earliest = remapNotBefore, now - earliest < PortMappingTiming.restartGapMax {
            restartGap = min(restartGap * 2, PortMappingTiming.restartGapMax)
        } else {
            restartGap = PortMappingTiming.restartGapMin
        }
        remapNotBefore = now + restartGap
        isMappingDoubtful = true
        ask(held.protocol, at: now, into: &output)
    }

    // MARK: Results

    /// The gateway grants `external` for `lifetime` seconds (0: without end).
    mutating func accept(
        _ external: Endpoint, lifetime seconds: UInt32, by protocol: PortMappingProtocol,
        at now: MonotonicInstant, into output: inout PortMappingOutput
    ) {
        let scope = AddressScope.ofExternal(external, link)
        let granted =
            seconds == 0 ? PortMappingTiming.lifetimeMax : Nanoseconds.seconds(Int64(seconds))
        let lifetime = min(granted, PortMappingTiming.lifetimeMax)
        guard scope != .unusable, lifetime >= PortMappingTiming.lifetimeMin else {
            let what =
                scope == .unusable
                ? "names \(external) as our external endpoint, which cannot be"
                : "grants mappings for \(seconds) s only"
            sendDelete(by: `protocol`, externalPort: external.port, at: now, into: &output)
            return refuse(`protocol`, "\(what)", at: now, into: &output)
        }
        var renewAfter = lifetime / 2
        if `protocol` == .upnp { renewAfter = min(renewAfter, PortMappingTiming.upnpRefresh) }
        mapping = Mapping(
            protocol: `protocol`, external: external, lifetime: lifetime,
            expiresAt: now + lifetime, renewAt: now + renewAfter,
            isReachable: scope == .global,
            service: `protocol` == .upnp ? upnp.service : nil,
            pinhole: `protocol` == .upnp ? upnp.pinhole : nil)
        isMappingDoubtful = false
        wishedPort = external.port
        knowledge[`protocol`.rawValue].refusalCount = 0
        knowledge[`protocol`.rawValue].refusedUntil = nil
        request = nil
        search?.decideAt = nil
        restUntil = nil
        restCount = 0
        problem =
            scope == .global
            ? nil : "the gateway is behind another NAT: its outer address is \(external.address)"
        nextCheckAt = `protocol` == .upnp ? nil : now + PortMappingTiming.checkInterval
    }

    /// The protocol does not give us a mapping now: the next one may.
    mutating func refuse(
        _ protocol: PortMappingProtocol, _ reason: String, for duration: Nanoseconds? = nil,
        isSilence: Bool = false, at now: MonotonicInstant, into output: inout PortMappingOutput
    ) {
        cancelAsking(into: &output)
        problem = "\(`protocol`.name): the gateway \(reason)"
        let index = `protocol`.rawValue
        knowledge[index].refusalCount = min(knowledge[index].refusalCount + 1, 8)
        let first = isSilence ? PortMappingTiming.silenceMin : PortMappingTiming.refusalMin
        let backoff = first * (1 << Int64(knowledge[index].refusalCount - 1))
        knowledge[index].refusedUntil =
            now
            + min(
                max(duration ?? .zero, backoff), PortMappingTiming.refusalMax)
        if var held = mapping, held.protocol == `protocol` {
            guard isMappingDoubtful else {
                // What is held lasts as long as was promised.
                let left = held.expiresAt - now
                held.renewAt = now + max(left / 4, PortMappingTiming.renewalRetryMin)
                mapping = held
                return
            }
            mapping = nil
            nextCheckAt = nil
            isMappingDoubtful = false
        }
        choose(at: now, into: &output)
    }

    /// The gateway said something with its epoch that is no grant of a mapping.
    mutating func noteEpoch(
        _ epoch: UInt32, by protocol: PortMappingProtocol, at now: MonotonicInstant,
        into output: inout PortMappingOutput
    ) {
        guard epochs[`protocol`.rawValue].note(epoch, at: now) else { return }
        noteRestart(at: now, into: &output)
    }

    // MARK: Status

    func describe(into status: inout PortMappingStatus) {
        guard search != nil || restUntil != nil || mapping != nil || isAsking else { return }
        func joined(_ old: Bool?, _ protocol: PortMappingProtocol) -> Bool? {
            let known = knowledge[`protocol`.rawValue]
            if known.hasAnswered { return true }
            // Silence means something when all had their time. Until then what was true before is:
            // each change of the status is told to the server.
            return old ?? (search == nil ? false : known.answeredBefore)
        }
        status.pcp = joined(status.pcp, .pcp)
        if link.gateway.isIPv4 { status.natPMP = joined(status.natPMP, .natPMP) }
        status.upnp = joined(status.upnp, .upnp)
        if let mapping {
            status.mappings.append(
                PortMappingStatus.Mapping(
                    protocol: mapping.protocol, external: mapping.external,
                    internal: link.internalEndpoint, lifetime: mapping.lifetime,
                    expiresAt: mapping.expiresAt, isReachable: mapping.isReachable))
        }
        if status.problem == nil { status.problem = problem }
    }
}
