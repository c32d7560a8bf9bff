import NetTypes
import STUN

/// The STUN requests of one report: what is planned, sent and answered.
struct ProbePlan {
    struct Probe {
        let region: Int
        let endpoint: Endpoint
        let sendAt: MonotonicInstant
        var id: STUNTransactionID?
        var sentAt = MonotonicInstant.never
        var isAnswered = false
        var isSkipped = false

        var isPending: Bool { id == nil && !isSkipped }
    }

    var probes: [Probe] = []

    /// Every region, up to five tries for each family, spread over the region's nodes.
    static func full(
        _ regions: [RelayRegion], _ families: AddressFamilies, at now: MonotonicInstant
    ) -> ProbePlan {
        var plan = ProbePlan()
        for region in regions where region.isMeasured {
            for family in families.list {
                for (attempt, delay) in NetReportTiming.retryDelays.enumerated() {
                    plan.add(region, family, attempt, now + delay)
                }
            }
        }
        return plan
    }

    /// The three nearest regions and home, by the last report.
    static func incremental(
        _ regions: [RelayRegion], _ families: AddressFamilies, after last: NetReport,
        at now: MonotonicInstant
    ) -> ProbePlan {
        let measured = regions.filter(\.isMeasured)
        let ranked = measured.compactMap { region in
            last.latency(of: region.id).map { (region: region, latency: $0) }
        }.sorted { ($0.latency, $0.region.id) < ($1.latency, $1.region.id) }
        var chosen = ranked.prefix(3).map(\.region)
        if let home = measured.first(where: { $0.id == last.homeRelay }),
            !chosen.contains(where: { $0.id == home.id })
        {
            chosen.append(home)
        }
        var plan = ProbePlan()
        for (rank, region) in chosen.enumerated() {
            let isFast = rank < 2
            let attempts = region.id == last.homeRelay ? 4 : isFast ? 2 : 1
            let latency = last.latency(of: region.id) ?? NetReportTiming.unknownLatency
            for attempt in 0..<attempts {
                let spread: Nanoseconds = attempt > 1 ? .milliseconds(50) * Int64(attempt) : .zero
                let at = now + latency * Int64(attempt * 12) / 10 + spread
                for family in families.list {
                    if family == .ipv6, !last.hasIPv6, !isFast { continue }
                    // The slower ones take turns.
                    if !isFast, families.list.count > 1, last.hasIPv6,
                        (rank + attempt).isMultiple(of: 2) != (family == .ipv4)
                    {
                        continue
                    }
                    plan.add(region, family, attempt, at)
                }
            }
        }
        return plan
    }

    /// Two servers, home first: just enough to learn our endpoints.
    static func quick(
        _ regions: [RelayRegion], _ families: AddressFamilies, after last: NetReport?,
        at now: MonotonicInstant
    ) -> ProbePlan {
        let rank = { (region: RelayRegion) -> (Int, Int64, Int) in
            (
                region.id == last?.homeRelay ? 0 : 1,
                last?.latency(of: region.id)?.count ?? .max, region.id
            )
        }
        var plan = ProbePlan()
        for region in regions.filter(\.isMeasured).sorted(by: { rank($0) < rank($1) }).prefix(2) {
            for family in families.list {
                for (attempt, delay) in NetReportTiming.quickRetryDelays.enumerated() {
                    plan.add(region, family, attempt, now + delay)
                }
            }
        }
        return plan
    }

    private mutating func add(
        _ region: RelayRegion, _ family: AddressFamilies, _ attempt: Int, _ at: MonotonicInstant
    ) {
        let endpoints = region.nodes.compactMap { $0.stunEndpoint(family) }
        guard !endpoints.isEmpty else { return }
        let endpoint = endpoints[attempt % endpoints.count]
        probes.append(Probe(region: region.id, endpoint: endpoint, sendAt: at))
    }

    // MARK: Progress

    mutating func answer(_ id: STUNTransactionID) -> Probe? {
        guard let index = probes.firstIndex(where: { $0.id == id && !$0.isAnswered }) else {
            return nil
        }
        probes[index].isAnswered = true
        return probes[index]
    }

    /// Whether an answer from `probe` would teach anything: its region has not answered in this
    /// family, or we do not know yet whether mappings vary and this is another destination.
    func isUseful(_ probe: Probe, mappingIsKnown: Bool) -> Bool {
        let isIPv4 = probe.endpoint.address.isIPv4
        let answered = probes.filter { $0.isAnswered && $0.endpoint.address.isIPv4 == isIPv4 }
        if !answered.contains(where: { $0.region == probe.region }) { return true }
        return isIPv4 && !mappingIsKnown
            && !answered.contains { $0.endpoint == probe.endpoint }
    }

    var nextSendAt: MonotonicInstant? {
        probes.reduce(nil) { $1.isPending ? earliest($0, $1.sendAt) : $0 }
    }

    /// Nothing is left to send, and each server asked has answered.
    var isComplete: Bool {
        probes.allSatisfy { probe in
            probe.isSkipped || probe.isAnswered
                || probe.id != nil
                    && probes.contains { $0.isAnswered && $0.endpoint == probe.endpoint }
        }
    }

    var regionCount: Int { Set(probes.map(\.region)).count }
    var answeredRegionCount: Int { Set(probes.filter(\.isAnswered).map(\.region)).count }
}

extension RelayRegion.Node {
    fileprivate func stunEndpoint(_ family: AddressFamilies) -> Endpoint? {
        guard let stunPort else { return nil }
        return family == .ipv4
            ? ipv4.map { Endpoint(.v4($0), port: stunPort) }
            : ipv6.map { Endpoint(.v6($0), port: stunPort) }
    }
}
