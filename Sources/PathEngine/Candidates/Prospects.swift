import NetTypes

/// Where a direct path may lead from here, as far as our own side of it is known.
///
/// Without UDP to the internet, or without an address family, most of a peer's candidates cannot
/// answer. They are still pinged, because what we know may be wrong and a peer in the same network
/// needs no internet, but sparingly.
struct Prospects: Equatable {
    var reachesIPv4 = true
    var reachesIPv6 = true

    /// Whether a ping has a fair chance. A private address has one only in the same network, where the
    /// first ping tells.
    func isPromising(_ endpoint: Endpoint) -> Bool {
        endpoint.isRelayedPath
            || endpoint.address.isPublic && (endpoint.address.isIPv4 ? reachesIPv4 : reachesIPv6)
    }
}

extension OwnEndpoints {
    var prospects: Prospects {
        Prospects(reachesIPv4: reaches { $0.isIPv4 }, reachesIPv6: reaches { $0.isIPv6 })
    }

    /// Whether the internet may be reached by the address family that `isOfFamily` picks.
    private func reaches(_ isOfFamily: (IPAddress) -> Bool) -> Bool {
        if list.contains(where: { isOfFamily($0.endpoint.address) && $0.endpoint.address.isPublic })
        {
            return true
        }
        // Nobody has been asked, or the servers may have no address of the family.
        let hasAddress = list.contains { isOfFamily($0.endpoint.address) }
        return !isSilent && (confirmedAt == .never || hasAddress)
    }
}

extension Peer {
    /// A direct path is out of reach as far as can be told.
    var isHopeless: Bool {
        let direct = candidates.direct
        return !direct.isEmpty && !direct.contains { prospects.isPromising($0.endpoint) }
    }

    /// Begins a search where there is hope and was none.
    mutating func searchIfHopeful(wasHopeless: Bool, at now: MonotonicInstant) {
        guard wasHopeless, !isHopeless, activity.isActive, canProbe, !isDirect(at: now) else {
            return
        }
        discovery.begin(at: now)
    }
}
