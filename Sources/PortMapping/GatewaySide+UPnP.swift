import NetTypes
import PortMappingMessages

/// Where a conversation with a gateway's UPnP services stands.
struct UPnPSession {
    enum Step: Equatable {
        case describing
        case askingAddress
        case mapping(any: Bool)
        case addingPinhole
        case updatingPinhole
        /// Its answer matters to nobody but a release.
        case deleting
    }
    struct Exchange {
        let id: Int
        let step: Step
        let deadline: MonotonicInstant
    }

    /// Where the gateway describes itself; the host is the gateway.
    var location: HTTPLocation?
    var services: [GatewayDescription.Service] = []
    /// The one of `services` in use.
    var serviceIndex = 0
    var exchange: Exchange?
    var external: IPAddress?
    var port: UInt16 = 0
    var portChoices = 0
    /// The gateway grants mappings without end only.
    var isPermanent = false
    var pinhole: UInt16?

    var service: GatewayDescription.Service? {
        serviceIndex < services.count ? services[serviceIndex] : nil
    }

    mutating func forgetDescription() {
        location = nil
        services = []
        serviceIndex = 0
        isPermanent = false
    }
}

extension GatewaySide {
    mutating func startUPnP(at now: MonotonicInstant, into output: inout PortMappingOutput) {
        upnp.port = wishedPort
        upnp.portChoices = 0
        if let held = mapping, held.protocol == .upnp { upnp.pinhole = held.pinhole }
        guard upnp.service == nil else { return startService(at: now, into: &output) }
        guard let location = upnp.location else {
            return refuse(.upnp, "does not say where its services are", at: now, into: &output)
        }
        exchange(
            .describing, HTTPRequest.get(location), port: location.port, at: now, into: &output)
    }

    /// The first question to the service in use.
    private mutating func startService(
        at now: MonotonicInstant, into output: inout PortMappingOutput
    ) {
        guard let service = upnp.service else {
            return refuse(.upnp, "has no service that maps ports", at: now, into: &output)
        }
        if service.kind == .ipv6Firewall1 {
            sendPinhole(at: now, into: &output)
        } else {
            call(.askingAddress, .getExternalIPAddress, at: now, into: &output)
        }
    }

    mutating func handleExchange(
        _ response: HTTPResponse?, random: inout some RandomNumberGenerator,
        at now: MonotonicInstant, into output: inout PortMappingOutput
    ) {
        guard let finished = upnp.exchange else { return }
        upnp.exchange = nil
        guard isWorking else { return finishRelease(.upnp) }
        switch finished.step {
        case .deleting: choose(at: now, into: &output)
        case .describing: takeDescription(response, at: now, into: &output)
        case .askingAddress:
            guard let answer = soap(response), answer.errorCode == nil,
                let address = answer["NewExternalIPAddress"].flatMap({ IPAddress($0) })
            else { return tryNextService(at: now, into: &output) }
            upnp.external = address
            let isVersion2 = upnp.service?.kind == .wanIPConnection2
            // Judged before the gateway is made to forward what nobody could use.
            guard
                AddressScope.ofExternal(Endpoint(address, port: wishedPort), link) != .unusable
            else {
                return refuse(
                    .upnp, "names \(address) as its external address, which cannot be", at: now,
                    into: &output)
            }
            sendMapping(any: isVersion2, at: now, into: &output)
        case .mapping(let any):
            takeMapping(soap(response), any: any, random: &random, at: now, into: &output)
        case .addingPinhole, .updatingPinhole:
            takePinhole(soap(response), finished.step, at: now, into: &output)
        }
    }

    private mutating func takeDescription(
        _ response: HTTPResponse?, at now: MonotonicInstant, into output: inout PortMappingOutput
    ) {
        guard let response, response.status == 200, let location = upnp.location,
            // What cannot be read offers nothing.
            let description = try? GatewayDescription(parsing: response.body, at: location)
        else {
            upnp.location = nil
            return refuse(.upnp, "does not describe its services", at: now, into: &output)
        }
        upnp.services = description.services.filter {
            ($0.kind == .ipv6Firewall1) == link.gateway.isIPv6
        }
        upnp.serviceIndex = 0
        startService(at: now, into: &output)
    }

    private mutating func tryNextService(
        at now: MonotonicInstant, into output: inout PortMappingOutput
    ) {
        upnp.serviceIndex += 1
        guard upnp.service != nil else {
            upnp.services = []
            return refuse(.upnp, "does not answer as it should", at: now, into: &output)
        }
        startService(at: now, into: &output)
    }

    // MARK: Mappings

    private var upnpLifetime: UInt32 { upnp.isPermanent ? 0 : PortMappingTiming.lifetimeWanted }

    private mutating func sendMapping(
        any: Bool, at now: MonotonicInstant, into output: inout PortMappingOutput
    ) {
        let target = link.internalEndpoint
        call(
            .mapping(any: any),
            any
                ? .addAnyPortMapping(external: upnp.port, internal: target, lifetime: upnpLifetime)
                : .addPortMapping(external: upnp.port, internal: target, lifetime: upnpLifetime),
            at: now, into: &output)
    }

    private mutating func takeMapping(
        _ answer: SOAPResponse?, any: Bool, random: inout some RandomNumberGenerator,
        at now: MonotonicInstant, into output: inout PortMappingOutput
    ) {
        guard let answer else { return tryNextService(at: now, into: &output) }
        guard let code = answer.errorCode else {
            var port = upnp.port
            if any {
                guard let reserved = answer.number("NewReservedPort", in: 1...65_535) else {
                    return tryNextService(at: now, into: &output)
                }
                port = UInt16(reserved)
            }
            guard let address = upnp.external else { return }
            return accept(
                Endpoint(address, port: port), lifetime: upnpLifetime, by: .upnp, at: now,
                into: &output)
        }
        switch code {
        // InvalidArgs and OnlyPermanentLeasesSupported: some know mappings without end only.
        case 402 where !upnp.isPermanent, 725 where !upnp.isPermanent:
            upnp.isPermanent = true
            sendMapping(any: any, at: now, into: &output)
        // Not authorized.
        case 606: refuse(.upnp, "does not allow it", at: now, into: &output)
        // InvalidAction and its like: the older way.
        case _ where any: sendMapping(any: false, at: now, into: &output)
        // Another has that port, or it is not to be had.
        case 718, 729, 716, 501, 724:
            upnp.portChoices += 1
            guard upnp.portChoices < PortMappingTiming.portChoicesMax else {
                return refuse(.upnp, "has no external port for us", at: now, into: &output)
            }
            upnp.port =
                code == 724 || upnp.portChoices == 1 && upnp.port != link.port
                ? link.port : UInt16.random(in: 1024...65_535, using: &random)
            sendMapping(any: false, at: now, into: &output)
        default: tryNextService(at: now, into: &output)
        }
    }

    // MARK: Pinholes

    private mutating func sendPinhole(
        at now: MonotonicInstant, into output: inout PortMappingOutput
    ) {
        let lifetime = PortMappingTiming.lifetimeWanted
        if let id = upnp.pinhole {
            call(
                .updatingPinhole, .updatePinhole(id: id, lifetime: lifetime), at: now,
                into: &output)
        } else {
            call(
                .addingPinhole,
                .addPinhole(internal: link.internalEndpoint, lifetime: lifetime), at: now,
                into: &output)
        }
    }

    private mutating func takePinhole(
        _ answer: SOAPResponse?, _ step: UPnPSession.Step, at now: MonotonicInstant,
        into output: inout PortMappingOutput
    ) {
        guard let answer else { return tryNextService(at: now, into: &output) }
        if step == .updatingPinhole, answer.errorCode != nil {
            // It was restarted and knows the number no more.
            upnp.pinhole = nil
            return sendPinhole(at: now, into: &output)
        }
        guard answer.errorCode == nil else {
            return refuse(.upnp, "does not open its IPv6 firewall", at: now, into: &output)
        }
        if step == .addingPinhole {
            guard let id = answer.number("UniqueID", in: 0...65_535) else {
                return tryNextService(at: now, into: &output)
            }
            upnp.pinhole = UInt16(id)
        }
        accept(
            link.internalEndpoint, lifetime: PortMappingTiming.lifetimeWanted, by: .upnp,
            at: now, into: &output)
    }

    // MARK: Calls

    mutating func sendUPnPDelete(
        externalPort: UInt16, at now: MonotonicInstant, into output: inout PortMappingOutput
    ) {
        guard upnp.exchange == nil else { return }
        if let service = mapping?.service { upnp.services = [service] }
        upnp.serviceIndex = min(upnp.serviceIndex, max(0, upnp.services.count - 1))
        guard let service = upnp.service else { return finishRelease(.upnp) }
        guard service.kind == .ipv6Firewall1 else {
            return call(
                .deleting, .deletePortMapping(external: externalPort), at: now, into: &output)
        }
        guard let id = mapping?.pinhole ?? upnp.pinhole else { return finishRelease(.upnp) }
        upnp.pinhole = nil
        call(.deleting, .deletePinhole(id: id), at: now, into: &output)
    }

    private mutating func call(
        _ step: UPnPSession.Step, _ action: GatewayAction, at now: MonotonicInstant,
        into output: inout PortMappingOutput
    ) {
        guard let service = upnp.service else { return }
        exchange(
            step, action.request(to: service), port: service.control.port, at: now, into: &output)
    }

    /// Never to any other host than the gateway.
    private mutating func exchange(
        _ step: UPnPSession.Step, _ request: [UInt8], port: UInt16, at now: MonotonicInstant,
        into output: inout PortMappingOutput
    ) {
        if let running = upnp.exchange { output.abandon(running.id) }
        let id = output.exchange(request, with: Endpoint(link.gateway, port: port))
        upnp.exchange = UPnPSession.Exchange(
            id: id, step: step, deadline: now + PortMappingTiming.exchangeTimeout)
    }

    private func soap(_ response: HTTPResponse?) -> SOAPResponse? {
        // What cannot be read is as good as silence.
        response.flatMap { try? SOAPResponse(parsing: $0) }
    }
}
