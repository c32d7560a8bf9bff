package import NetTypes
import STUN

/// The address families our interfaces have.
package struct AddressFamilies: OptionSet, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static var ipv4: Self { Self(rawValue: 1) }
    package static var ipv6: Self { Self(rawValue: 2) }

    var list: [AddressFamilies] { [.ipv4, .ipv6].filter { contains($0) } }
}

/// Finds out what the network around us is like, from STUN answers of the relays: our endpoints as
/// others see them, whether the NAT varies them by destination, how far each relay is and which of
/// them should be our home.
///
/// A *full* report asks every region, up to five times in each family; an *incremental* one, made
/// when there was a full one in the last five minutes, the nearest three and home. A *quick* one asks
/// two servers and ends with the first answer; it only renews our endpoints. Retries that would teach
/// nothing are not sent. When enough regions have answered, the rest get as long again as the slowest
/// of them took, or twice that in a full report. When none has answered after 3 s, UDP is taken to be
/// blocked and the driver is asked for the latency of the relays by other means.
///
/// After the first full report, and whenever somebody asks for a thorough one, what the NAT does with
/// IPv4 is found out from a few fresh sockets (`BehaviorDiscovery`), and another report follows.
///
/// Requests must leave by the socket that carries the node's data, or the mapping seen is not that
/// of the data. While `startRefreshing` is in force a report is made as long as somebody needs our
/// endpoints (`setInUse`) every 20 to 26 s, or less often where NAT mappings were found to live longer
/// (`LifetimeSearch`), and every ten minutes otherwise.
package struct NetReportEngine<Random: RandomNumberGenerator>: ~Copyable {
    private enum Kind { case full, incremental, quick }

    private enum Phase {
        case idle
        case probing(Kind, until: MonotonicInstant)
        /// UDP is blocked: the driver measures.
        case awaitingRelayLatency(Kind, until: MonotonicInstant)
    }

    var random: Random
    private var regions: [RelayRegion] = []
    private var families: AddressFamilies = [.ipv4]
    private var phase = Phase.idle
    private var plan = ProbePlan()
    var measurement: Measurement
    var behavior = BehaviorPhase.unknown
    /// Those that behaviour discovery asked, nearest first.
    var behaviorServers: [Endpoint] = []
    var lifetimes = Lifetimes()
    private var history = LatencyHistory()
    private var heardAt: [Int: MonotonicInstant] = [:]
    private var lastFullAt = MonotonicInstant.never
    private(set) var isRefreshing = false
    private(set) var isInUse = false
    private var refreshAt: MonotonicInstant?
    var transmits: [NetReportTransmit] = []
    var events: [NetReportEvent] = []
    /// The last report; nil before the first and after the network has changed.
    package internal(set) var lastReport: NetReport?
    /// The region where peers find us.
    package private(set) var homeRelay: Int?

    /// `random` makes transaction IDs: outside of tests it must be `SecureRandom`.
    package init(random: Random) {
        self.random = random
        measurement = Measurement(startedAt: .never)
    }

    package mutating func pollTransmit() -> NetReportTransmit? {
        transmits.isEmpty ? nil : transmits.removeFirst()
    }
    package mutating func pollEvent() -> NetReportEvent? {
        events.isEmpty ? nil : events.removeFirst()
    }

    package var nextDeadline: MonotonicInstant? {
        let own: MonotonicInstant? =
            switch phase {
            case .idle: refreshAt
            case .probing(_, let until): earliest(until, plan.nextSendAt)
            case .awaitingRelayLatency(_, let until): until
            }
        return earliest(earliest(own, behavior.nextDeadline), lifetimeDeadline)
    }

    /// A report is under way, or the thorough one that follows it.
    package var isMeasuring: Bool {
        if case .idle = phase { behavior.isUnderWay } else { true }
    }

    // MARK: Inputs

    /// The relay map; at most 512 regions are looked at. A change makes the next report a full one.
    package mutating func setRegions(_ regions: [RelayRegion]) {
        let sorted = regions.sorted { $0.id < $1.id }.prefix(NetReportTiming.regionsMax)
        guard Array(sorted) != self.regions else { return }
        self.regions = Array(sorted)
        lastFullAt = .never
        if !self.regions.contains(where: { $0.id == homeRelay }) { homeRelay = nil }
    }

    package mutating func setAddressFamilies(_ families: AddressFamilies) {
        self.families = families
    }

    /// Whether somebody needs our endpoints to be right: a peer that we exchange packets with.
    package mutating func setInUse(_ isInUse: Bool, at now: MonotonicInstant) {
        guard isInUse != self.isInUse else { return }
        self.isInUse = isInUse
        if refreshAt != nil { planRefresh(at: now) }
    }

    /// Keeps reports coming.
    package mutating func startRefreshing(at now: MonotonicInstant) {
        guard !isRefreshing else { return }
        isRefreshing = true
        planRefresh(at: now)
    }

    package mutating func stopRefreshing() {
        isRefreshing = false
        refreshAt = nil
    }

    /// Makes a report, full when the last full one is old; one under way goes on instead.
    package mutating func start(at now: MonotonicInstant) {
        if case .probing(.quick, _) = phase { phase = .idle }
        guard case .idle = phase else { return }
        if let last = lastReport, last.hasUDP, lastFullAt != .never,
            now - lastFullAt < NetReportTiming.fullInterval
        {
            begin(
                .incremental, .incremental(regions, families, after: last, at: now),
                for: NetReportTiming.stunTimeout, at: now)
        } else {
            lastFullAt = now
            begin(
                .full, .full(regions, families, at: now), for: NetReportTiming.stunTimeout, at: now)
        }
    }

    /// Makes a full report and another one when it is known what the NAT does.
    package mutating func startThorough(at now: MonotonicInstant) {
        lastFullAt = .never
        if !behavior.isUnderWay { behavior = .unknown }
        start(at: now)
    }

    /// Renews our endpoints within one round trip; a report under way does as well.
    package mutating func startQuick(at now: MonotonicInstant) {
        // Whoever asks needs an answer by UDP, if there is one after all.
        if case .awaitingRelayLatency = phase { finish(at: now) }
        guard case .idle = phase else { return }
        begin(
            .quick, .quick(regions, families, after: lastReport, at: now),
            for: NetReportTiming.quickTimeout, at: now)
    }

    /// The network has changed: old results say nothing, home excepted. Makes a full report.
    package mutating func handleLinkChange(at now: MonotonicInstant) {
        phase = .idle
        lastReport = nil
        lastFullAt = .never
        history.removeAll()
        forgetBehavior()
        dropLifetime()
        start(at: now)
    }

    /// A frame came from the relay of `region`.
    package mutating func noteRelayHeard(region: Int, at now: MonotonicInstant) {
        guard regions.contains(where: { $0.id == region }) else { return }
        heardAt[region] = now
    }

    /// Answer to `relayLatencyWanted`, from HTTPS or a ping through the relay.
    package mutating func noteRelayLatency(
        region: Int, _ latency: Nanoseconds, at now: MonotonicInstant
    ) {
        guard regions.contains(where: { $0.id == region }) else { return }
        heardAt[region] = now
        guard case .awaitingRelayLatency = phase else { return }
        measurement.note(relay: latency, region: region)
        let wanted = regions.filter(\.isMeasured).count
        if measurement.latencies.count >= wanted { finish(at: now) }
    }

    /// Takes a datagram that looks like STUN. Returns whether it answers a request of this report.
    @discardableResult
    package mutating func handleResponse(_ datagram: RawSpan, at now: MonotonicInstant) -> Bool {
        // Why noise is no response interests nobody.
        guard case .probing(let kind, let until) = phase,
            let response = try? STUNResponse(datagram), let probe = plan.answer(response.id)
        else { return false }
        let mapped = response.mappedEndpoint
        guard mapped.port != 0, !mapped.address.isUnspecified, !mapped.address.isMulticast else {
            return false
        }
        measurement.note(
            mapped, from: probe.endpoint, region: probe.region, latency: now - probe.sentAt)
        skipUselessProbes()
        phase = .probing(kind, until: min(until, end(of: kind)))
        handleTimeout(at: now)
        return true
    }

    package mutating func handleTimeout(at now: MonotonicInstant) {
        continueBehavior(at: now)
        if let due = lifetimeDeadline, due <= now { continueLifetime(at: now) }
        switch phase {
        case .idle:
            guard let due = refreshAt, due <= now else { return }
            refreshAt = nil
            start(at: now)
        case .probing(let kind, let until):
            sendProbes(at: now)
            if plan.isComplete || until <= now { endProbing(kind, at: now) }
        case .awaitingRelayLatency(_, let until):
            if until <= now { finish(at: now) }
        }
    }

    // MARK: Steps

    private mutating func begin(
        _ kind: Kind, _ plan: ProbePlan, for timeout: Nanoseconds, at now: MonotonicInstant
    ) {
        self.plan = plan
        measurement = Measurement(startedAt: now)
        phase = .probing(kind, until: now + timeout)
        handleTimeout(at: now)
    }

    private mutating func sendProbes(at now: MonotonicInstant) {
        for index in plan.probes.indices
        where plan.probes[index].isPending && plan.probes[index].sendAt <= now {
            let id = STUNTransactionID(random: &random)
            plan.probes[index].id = id
            plan.probes[index].sentAt = now
            transmits.append(
                NetReportTransmit(
                    destination: plan.probes[index].endpoint, bytes: STUNRequest.encode(id)))
        }
    }

    private mutating func skipUselessProbes() {
        let mappingIsKnown = measurement.mappingVaries != nil
        for index in plan.probes.indices where plan.probes[index].isPending {
            let probe = plan.probes[index]
            if !plan.isUseful(probe, mappingIsKnown: mappingIsKnown) {
                plan.probes[index].isSkipped = true
            }
        }
    }

    /// When to stop waiting, now that another answer is in.
    private func end(of kind: Kind) -> MonotonicInstant {
        let startedAt = measurement.startedAt
        if case .quick = kind {
            // IPv6 is waited for only where it worked before.
            let isEnough =
                !measurement.globalIPv4.isEmpty && lastReport?.hasIPv6 != true
                || !measurement.globalIPv6.isEmpty && families == .ipv6
                || !measurement.globalIPv4.isEmpty && !measurement.globalIPv6.isEmpty
            return isEnough ? startedAt : startedAt + NetReportTiming.quickTimeout
        }
        let enough = min(NetReportTiming.enoughRegions, plan.regionCount)
        guard plan.answeredRegionCount >= enough else {
            return startedAt + NetReportTiming.stunTimeout
        }
        let slowest = measurement.slowest
        let wait: Nanoseconds = if case .full = kind { slowest * 2 } else { slowest }
        return startedAt + max(wait, NetReportTiming.stragglerMin)
    }

    private mutating func endProbing(_ kind: Kind, at now: MonotonicInstant) {
        let measured = regions.filter(\.isMeasured).map(\.id)
        if case .quick = kind { return finishQuick(at: now) }
        guard measurement.latencies.isEmpty, !measured.isEmpty else { return finish(at: now) }
        phase = .awaitingRelayLatency(
            kind, until: measurement.startedAt + NetReportTiming.reportTimeout)
        events.append(.relayLatencyWanted(regions: measured))
    }

    private mutating func finishQuick(at now: MonotonicInstant) {
        phase = .idle
        planRefresh(at: now)
        guard !measurement.latencies.isEmpty else { return }
        var report = lastReport ?? NetReport(finishedAt: now, isFull: false)
        measurement.renewEndpoints(of: &report)
        report.finishedAt = now
        report.isFull = false
        report.homeRelay = homeRelay
        checkLifetime(&report, before: lastReport)
        lastReport = report
        events.append(.report(report))
    }

    private mutating func finish(at now: MonotonicInstant) {
        var isFull = false
        if case .probing(.full, _) = phase { isFull = true }
        if case .awaitingRelayLatency(.full, _) = phase { isFull = true }
        phase = .idle
        var report = NetReport(finishedAt: now, isFull: isFull)
        measurement.fill(&report, previous: lastReport)
        report.isSilent = !report.hasUDP && !plan.probes.isEmpty
        for latency in report.latencies {
            if let best = latency.best { history.note(best, of: latency.region, at: now) }
        }
        homeRelay = chooseHome(at: now)
        report.homeRelay = homeRelay
        checkLifetime(&report, before: lastReport)
        lastReport = report
        events.append(.report(report))
        planRefresh(at: now)
        if isFull, report.hasIPv4 { beginBehavior(at: now) }
    }

    private mutating func chooseHome(at now: MonotonicInstant) -> Int? {
        let startedAt = measurement.startedAt
        let isSilent = measurement.latencies.isEmpty
        let candidates = regions.filter(\.isMeasured).map { region in
            let heard = heardAt[region.id]
            let wasHeard =
                heard.map {
                    $0 >= startedAt || now - $0 <= NetReportTiming.heardDuration
                        || isSilent && now - $0 <= NetReportTiming.heardAloneDuration
                } ?? false
            let score = region.score > 0 ? region.score : 1
            return HomeChoice.Region(
                id: region.id,
                cost: history.best(of: region.id, at: now).map {
                    Nanoseconds(count: Int64(min(Double($0.count) * score, 1e15)))
                },
                isReachable: wasHeard || measurement.latencies[region.id] != nil)
        }
        if let home = HomeChoice.home(among: candidates, old: homeRelay) { return home }
        // Nothing is known of any: still be found somewhere.
        return candidates.isEmpty
            ? nil : candidates[Int(random.next() % UInt64(candidates.count))].id
    }

    /// While our endpoints are needed their mapping is kept, and no more often than it must be.
    private var refreshGap: Nanoseconds {
        let learned = (mappingLifetime ?? .zero) - NetReportTiming.refreshSpan
        return max(NetReportTiming.refreshMin, min(learned, NetReportTiming.learnedRefreshMax))
    }

    private mutating func planRefresh(at now: MonotonicInstant) {
        guard isRefreshing else { return }
        let jitter = Int64(random.next() % UInt64(NetReportTiming.refreshSpan.count))
        let least = isInUse ? refreshGap : NetReportTiming.idleRefreshMin
        refreshAt = now + least + Nanoseconds(count: jitter)
    }
}
