import NetTypes
import PortMappingMessages

// Finding out what the gateway speaks, and choosing.
extension GatewaySide {
    mutating func startSearch(at now: MonotonicInstant, into output: inout PortMappingOutput) {
        for index in knowledge.indices {
            knowledge[index].answeredBefore = restUntil == nil ? nil : knowledge[index].hasAnswered
            knowledge[index].hasAnswered = false
        }
        restUntil = nil
        let isQuick = restCount < PortMappingTiming.quickSearches
        search = Search(
            startedAt: now,
            probeTimes: isQuick
                ? PortMappingTiming.probeTimes : PortMappingTiming.laterProbeTimes)
        upnp.forgetDescription()
        serveSearch(at: now, into: &output)
    }

    mutating func serveSearch(at now: MonotonicInstant, into output: inout PortMappingOutput) {
        guard let running = search else { return }
        if let at = running.nextProbeAt, at <= now {
            search?.probesSent += 1
            sendProbes(isFirst: running.probesSent == 0, into: &output)
        }
        if let at = running.decideAt, at <= now {
            search?.decideAt = nil
            choose(at: now, into: &output)
        }
        if running.endsAt <= now {
            search = nil
            choose(at: now, into: &output)
        }
    }

    private func sendProbes(isFirst: Bool, into output: inout PortMappingOutput) {
        if !knowledge[PortMappingProtocol.pcp.rawValue].hasAnswered {
            output.send(PCPRequest.announce(client: link.own.address), to: server)
        }
        if link.gateway.isIPv4, !knowledge[PortMappingProtocol.natPMP.rawValue].hasAnswered {
            output.send(NATPMPRequest.externalAddress, to: server)
        }
        guard !knowledge[PortMappingProtocol.upnp.rawValue].hasAnswered else { return }
        let group = link.gateway.isIPv4 ? SSDPRequest.multicastIPv4 : SSDPRequest.multicastIPv6
        for address in [link.gateway, group] {
            let destination = Endpoint(address, port: PortMappingPort.ssdp)
            output.send(SSDPRequest.search(to: destination), to: destination)
        }
    }

    /// The gateway speaks the protocol.
    mutating func noteAnswer(
        _ protocol: PortMappingProtocol, at now: MonotonicInstant,
        into output: inout PortMappingOutput
    ) {
        let isNews = !knowledge[`protocol`.rawValue].hasAnswered
        knowledge[`protocol`.rawValue].hasAnswered = true
        // One that was silent or is new here makes itself known.
        if isNews, restUntil != nil { return startSearch(at: now, into: &output) }
        guard isNews, mapping == nil, !isAsking, let search else { return }
        let decideAt: MonotonicInstant
        switch `protocol` {
        case .pcp: decideAt = now
        case .natPMP: decideAt = now + PortMappingTiming.graceAfterNATPMP
        case .upnp: decideAt = max(now, search.startedAt + PortMappingTiming.graceForDatagrams)
        }
        self.search?.decideAt = earliest(search.decideAt, decideAt)
        serveSearch(at: now, into: &output)
    }

    /// Asks the best protocol that answers and does not refuse; rests when there is none.
    mutating func choose(at now: MonotonicInstant, into output: inout PortMappingOutput) {
        guard isWorking, mapping == nil, !isAsking else { return }
        for candidate in PortMappingProtocol.allCases {
            let known = knowledge[candidate.rawValue]
            guard known.hasAnswered, known.refusedUntil.map({ $0 <= now }) ?? true else { continue }
            return ask(candidate, at: now, into: &output)
        }
        // Another may still answer.
        guard search == nil else { return }
        restCount = min(restCount + 1, 10)
        let rest = PortMappingTiming.rest(after: restCount)
        // Nothing is gained by asking again before one of those that refused may be asked.
        let refusedUntil = knowledge.filter(\.hasAnswered).compactMap(\.refusedUntil).min()
        restUntil = max(now + rest, refusedUntil ?? now)
        if !knowledge.contains(where: \.hasAnswered) {
            problem = "the gateway speaks no port mapping protocol"
        }
    }

    mutating func ask(
        _ protocol: PortMappingProtocol, at now: MonotonicInstant,
        into output: inout PortMappingOutput
    ) {
        switch `protocol` {
        case .pcp, .natPMP:
            request = Request(
                protocol: `protocol`, nextTryAt: now, address: search?.externalAddress)
            serveRequest(at: now, into: &output)
        case .upnp: startUPnP(at: now, into: &output)
        }
    }
}
