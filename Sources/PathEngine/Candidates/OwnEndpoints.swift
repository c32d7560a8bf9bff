import NetTypes

/// This node's own endpoints.
struct OwnEndpoints {
    private var local: [Endpoint] = []
    private var reflexive: [Endpoint] = []
    private var portMapped: [Endpoint] = []
    private var mappingVaries = false
    /// Whether a report since the last change of the network said so: quick ones cannot tell.
    private(set) var hasVaryingMapping = false
    /// STUN servers were asked, and none answers.
    var isSilent = false
    /// Reflexive endpoints were last confirmed.
    private(set) var confirmedAt = MonotonicInstant.never
    /// Grows with each change of the list.
    private(set) var generation = 0
    /// What to announce: port-mapped before reflexive before local.
    private(set) var list: [OwnEndpoint] = []

    func areFresh(at now: MonotonicInstant) -> Bool {
        confirmedAt != .never && now - confirmedAt < PathTiming.endpointsFreshDuration
    }

    /// Returns whether the list changed.
    mutating func setLocal(_ endpoints: [Endpoint]) -> Bool {
        local = endpoints
        return rebuild()
    }

    /// Returns whether the list changed.
    mutating func setPortMapped(_ endpoints: [Endpoint]) -> Bool {
        portMapped = endpoints
        return rebuild()
    }

    /// Returns whether the list changed.
    mutating func setReflexive(
        _ endpoints: [Endpoint], mappingVaries: Bool, at now: MonotonicInstant
    ) -> Bool {
        reflexive = endpoints
        self.mappingVaries = mappingVaries
        if mappingVaries { hasVaryingMapping = true }
        confirmedAt = now
        return rebuild()
    }

    mutating func expire() {
        confirmedAt = .never
        hasVaryingMapping = false
        isSilent = false
    }

    private mutating func rebuild() -> Bool {
        var result: [OwnEndpoint] = []
        func add(_ endpoint: Endpoint, _ kind: OwnEndpoint.Kind) {
            let address = endpoint.address
            guard endpoint.port != 0, !address.isUnspecified, !address.isMulticast,
                !(address.isIPv6 && address.isLinkLocal),
                !result.contains(where: { $0.endpoint == endpoint })
            else { return }
            result.append(OwnEndpoint(endpoint, kind))
        }
        for endpoint in portMapped { add(endpoint, .portMapped) }
        for endpoint in reflexive { add(endpoint, .reflexive) }
        if mappingVaries, let first = reflexive.first(where: { $0.address.isIPv4 }),
            let own = local.first(where: { $0.address.isIPv4 })
        {
            add(Endpoint(first.address, port: own.port), .reflexiveAddressLocalPort)
        }
        for endpoint in local { add(endpoint, .local) }
        result.removeLast(max(0, result.count - PathTiming.callMeMaybeEndpointsMax))
        guard result != list else { return false }
        list = result
        generation += 1
        return true
    }
}
