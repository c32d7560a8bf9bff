import NetTypes
import PortMappingMessages

// PCP and NAT-PMP, and what gateways say by SSDP.
extension GatewaySide {
    mutating func serveRequest(at now: MonotonicInstant, into output: inout PortMappingOutput) {
        guard var asking = request, asking.nextTryAt <= now else { return }
        guard asking.tries < PortMappingTiming.requestGaps.count else {
            return refuse(
                asking.protocol, "does not answer any more", isSilence: true, at: now,
                into: &output)
        }
        asking.nextTryAt = now + PortMappingTiming.requestGaps[asking.tries]
        asking.tries += 1
        request = asking
        switch asking.protocol {
        case .pcp:
            let address: IPAddress =
                mapping?.external.address ?? (link.gateway.isIPv4 ? .v4(.any) : link.own.address)
            output.send(
                PCPRequest.mapUDP(
                    client: link.own.address, nonce: nonce, internalPort: link.port,
                    suggested: Endpoint(address, port: wishedPort),
                    lifetime: PortMappingTiming.lifetimeWanted),
                to: server)
        case .natPMP, .upnp:
            if asking.address == nil { output.send(NATPMPRequest.externalAddress, to: server) }
            if asking.port == nil {
                output.send(
                    NATPMPRequest.mapUDP(
                        internalPort: link.port, externalPort: wishedPort,
                        lifetime: PortMappingTiming.lifetimeWanted), to: server)
            }
        }
    }

    mutating func receive(
        _ datagram: RawSpan, from source: Endpoint, at now: MonotonicInstant,
        into output: inout PortMappingOutput
    ) {
        guard datagram.byteCount > 0, !isReleased else { return }
        do throws(PortMappingParseError) {
            if source.port != PortMappingPort.server {
                let response = try SSDPResponse(parsing: datagram)
                receive(response, at: now, into: &output)
            } else if datagram.byte(at: 0) == 0 {
                let response = try NATPMPResponse(parsing: datagram)
                receive(response, at: now, into: &output)
            } else {
                let response = try PCPResponse(parsing: datagram)
                receive(response, at: now, into: &output)
            }
        } catch {
            // Not for us, or not understood: silence is what the other side hears.
            return
        }
    }

    private mutating func receive(
        _ response: SSDPResponse, at now: MonotonicInstant, into output: inout PortMappingOutput
    ) {
        guard isWorking else { return }
        // Whatever host it names: the only one we go to is the sender.
        var location = response.location
        location.host = link.gateway
        if upnp.location == nil { upnp.location = location }
        noteAnswer(.upnp, at: now, into: &output)
    }

    // MARK: NAT-PMP

    private mutating func receive(
        _ response: NATPMPResponse, at now: MonotonicInstant, into output: inout PortMappingOutput
    ) {
        guard link.gateway.isIPv4 else { return }
        if case .mapped(link.port, 0, 0) = response.content { return finishRelease(.natPMP) }
        guard isWorking else { return }
        switch response.content {
        case .externalAddress(let address):
            noteEpoch(response.epoch, by: .natPMP, at: now, into: &output)
            search?.externalAddress = address
            if request?.protocol == .natPMP {
                request?.address = address
                finishNATPMP(at: now, into: &output)
            } else if let held = mapping, held.protocol == .natPMP,
                held.external.address != .v4(address)
            {
                ask(.natPMP, at: now, into: &output)
            }
            noteAnswer(.natPMP, at: now, into: &output)
        case .mapped(let internalPort, let externalPort, let lifetime):
            guard internalPort == link.port, request?.protocol == .natPMP else { return }
            _ = epochs[PortMappingProtocol.natPMP.rawValue].note(response.epoch, at: now)
            guard lifetime > 0 else {
                return refuse(.natPMP, "grants mappings for no time", at: now, into: &output)
            }
            request?.port = (externalPort, lifetime)
            finishNATPMP(at: now, into: &output)
        case .failed(let result):
            noteEpoch(response.epoch, by: .natPMP, at: now, into: &output)
            // How it answers to PCP, also to a probe from before the request, when it knows only this.
            let isAboutPCP = result == NATPMPResponse.unsupportedVersion
            if request?.protocol == .natPMP, !isAboutPCP {
                refuse(.natPMP, "refuses (result \(result))", at: now, into: &output)
            } else {
                noteAnswer(.natPMP, at: now, into: &output)
            }
        }
    }

    private mutating func finishNATPMP(
        at now: MonotonicInstant, into output: inout PortMappingOutput
    ) {
        guard let address = request?.address, let port = request?.port else { return }
        accept(
            Endpoint(.v4(address), port: port.external), lifetime: port.lifetime, by: .natPMP,
            at: now, into: &output)
    }

    // MARK: PCP

    private mutating func receive(
        _ response: PCPResponse, at now: MonotonicInstant, into output: inout PortMappingOutput
    ) {
        switch response.content {
        case .announcement:
            guard isWorking, response.result != PCPResponse.Result.unsupportedVersion else {
                return
            }
            noteEpoch(response.epoch, by: .pcp, at: now, into: &output)
            noteAnswer(.pcp, at: now, into: &output)
            // A gateway says so when it has started (RFC 6887 §14.1), whatever it maps ports by.
            if let held = mapping, held.protocol != .pcp {
                noteRestart(at: now, into: &output)
            }
        case .mapped(let nonce, let internalPort, let external):
            guard nonce == self.nonce, internalPort == link.port else { return }
            if case .releasing = stage { return finishRelease(.pcp) }
            guard request?.protocol == .pcp else { return }
            guard response.result == PCPResponse.Result.success else {
                return refuse(response, at: now, into: &output)
            }
            _ = epochs[PortMappingProtocol.pcp.rawValue].note(response.epoch, at: now)
            guard response.lifetime > 0 else {
                return refuse(.pcp, "grants mappings for no time", at: now, into: &output)
            }
            accept(external, lifetime: response.lifetime, by: .pcp, at: now, into: &output)
        }
    }

    private mutating func refuse(
        _ response: PCPResponse, at now: MonotonicInstant, into output: inout PortMappingOutput
    ) {
        let reason =
            switch response.result {
            case PCPResponse.Result.notAuthorized: "does not allow it"
            case PCPResponse.Result.networkFailure: "has no connection itself"
            case PCPResponse.Result.noResources: "has no room for another mapping"
            case PCPResponse.Result.cannotProvideExternal: "has no external port for us"
            case PCPResponse.Result.addressMismatch: "sees us at another address"
            default: "refuses (result \(response.result))"
            }
        refuse(
            .pcp, reason, for: .seconds(Int64(response.lifetime)), at: now, into: &output)
    }

    // MARK: Removing

    /// Removes what is held, or what a request under way may yet create.
    mutating func release(at now: MonotonicInstant, into output: inout PortMappingOutput) {
        let isHolding = mapping != nil || isAsking
        switch stage {
        case .working where isHolding: break
        case .fresh, .working:
            stage = .released
            return
        case .releasing, .released: return
        }
        let created = mapping?.protocol ?? request?.protocol ?? .upnp
        cancelAsking(into: &output)
        search = nil
        restUntil = nil
        releasing = created
        stage = .releasing(until: now + PortMappingTiming.releaseDuration, nextTryAt: now)
        sendRelease(at: now, into: &output)
        mapping = nil
        nextCheckAt = nil
    }

    mutating func sendRelease(at now: MonotonicInstant, into output: inout PortMappingOutput) {
        guard case .releasing(let until, _) = stage, let releasing else { return }
        stage = .releasing(until: until, nextTryAt: now + PortMappingTiming.releaseRetry)
        sendDelete(
            by: releasing, externalPort: mapping?.external.port ?? wishedPort, at: now,
            into: &output)
    }

    /// The gateway confirms that it removed the mapping.
    mutating func finishRelease(_ protocol: PortMappingProtocol) {
        guard case .releasing = stage, releasing == `protocol` else { return }
        upnp.exchange = nil
        stage = .released
    }

    mutating func sendDelete(
        by protocol: PortMappingProtocol, externalPort: UInt16, at now: MonotonicInstant,
        into output: inout PortMappingOutput
    ) {
        switch `protocol` {
        case .pcp:
            let nowhere: IPAddress = link.gateway.isIPv4 ? .v4(.any) : .v6(.any)
            output.send(
                PCPRequest.mapUDP(
                    client: link.own.address, nonce: nonce, internalPort: link.port,
                    suggested: Endpoint(nowhere, port: 0), lifetime: 0), to: server)
        case .natPMP:
            output.send(
                NATPMPRequest.mapUDP(internalPort: link.port, externalPort: 0, lifetime: 0),
                to: server)
        case .upnp: sendUPnPDelete(externalPort: externalPort, at: now, into: &output)
        }
    }
}
