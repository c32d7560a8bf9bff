package import NetTypes

extension PathEngine {
    /// Our endpoints as announced to the control server and to peers.
    package var announcedEndpoints: [OwnEndpoint] { ownEndpoints.list }

    /// The addresses of our interfaces (not the tunnel's) with the port of the socket of their
    /// family. Best before others.
    package mutating func setLocalEndpoints(_ endpoints: [Endpoint], at now: MonotonicInstant) {
        if ownEndpoints.setLocal(endpoints) { announce(at: now) }
        updateProspects(at: now)
    }

    /// Endpoints that gateways forward to our sockets; anyone may speak to us there.
    package mutating func setPortMappedEndpoints(_ endpoints: [Endpoint], at now: MonotonicInstant)
    {
        if ownEndpoints.setPortMapped(endpoints) { announce(at: now) }
        updateProspects(at: now)
    }

    /// What STUN servers say our endpoints are. Call it after each report, changed or not: it also
    /// says that they are valid now. `isSilent`: servers were asked, and none answered.
    package mutating func setReflexiveEndpoints(
        _ endpoints: [Endpoint], mappingVaries: Bool, isSilent: Bool = false,
        at now: MonotonicInstant
    ) {
        endpointsRequestedAt = .never
        let changed = ownEndpoints.setReflexive(endpoints, mappingVaries: mappingVaries, at: now)
        ownEndpoints.isSilent = isSilent
        if changed { announce(at: now) }
        updateProspects(at: now)
    }

    /// A peer that can be reached directly after all is searched for at once.
    private mutating func updateProspects(at now: MonotonicInstant) {
        let prospects = ownEndpoints.prospects
        for index in peers.indices {
            guard let peer = peers[index], peer.prospects != prospects else { continue }
            peers[index]?.prospects = prospects
            peers[index]?.searchIfHopeful(wasHopeless: peer.isHopeless, at: now)
            reschedule(index, at: now)
        }
    }

    /// What measuring the network found out about the NAT in our way. Call it after each report.
    package mutating func setNATBehavior(_ behavior: NATBehavior) { natBehavior = behavior }

    /// How long a NAT mapping may rest and still be there, by report; nil: not known.
    package mutating func setMappingLifetime(_ lifetime: Nanoseconds?) {
        let interval = PathTiming.standbyInterval(lifetime: lifetime)
        for index in peers.indices { peers[index]?.standbyInterval = interval }
        standbyInterval = interval
    }

    private mutating func announce(at now: MonotonicInstant) {
        events.append(.ownEndpointsChanged(ownEndpoints.list))
        for index in peers.indices {
            guard let peer = peers[index], peer.activity.isActive, !peer.isDirect(at: now) else {
                continue
            }
            peers[index]?.signalling.request(generation: ownEndpoints.generation)
            peers[index]?.serviceCallMeMaybe(at: now, into: &actions)
            perform(for: index, at: now)
            reschedule(index, at: now)
        }
    }

    /// The network has changed (an address, the default route, sleep): nothing that was proven holds,
    /// and whoever we talk to is looked for anew at once. Set the new local endpoints first.
    package mutating func handleLinkChange(at now: MonotonicInstant) {
        forgetProofs(at: now)
        guard let due = deadline, due <= now else { return }
        handleTimeout(at: now)
    }

    mutating func forgetProofs(at now: MonotonicInstant) {
        ownEndpoints.expire()
        hardNAT.forgetAll()
        natBehavior = NATBehavior()
        endpointsRequestedAt = .never
        for index in peers.indices where peers[index] != nil {
            peers[index]?.forgetProofs(at: now)
            peers[index]?.hardNAT.forgetFailures()
            reschedule(index, at: now)
        }
    }
}
