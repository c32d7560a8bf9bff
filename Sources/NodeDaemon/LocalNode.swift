import ControlClient
import ControlMessages
import CryptoPrimitives
import DERPClient
import DataPlane
import LinuxIO
import LocalAPI
import Logging
import NIOCore
import NetReport
import NetTypes
import NetworkMonitor
import NodeCore
import PathEngine
import PortMapper
import PortMapping

/// A machine's membership in a network: owns what is known (preferences, keys, network map, links)
/// and derives from it what the tunnel, the router and the relay connections are to be.
///
/// Everything that speaks to the outside is a part given at the start or a session with the
/// coordination server (`LocalNode+Session.swift`); whatever changes here ends in `reconcile()`
/// (`LocalNode+Reconcile.swift`).
actor LocalNode {
    /// What the node is made of and never replaces.
    struct Parts: Sendable {
        var files: StateFiles
        var dataPlane: DataPlane
        /// Of the sockets for peers.
        var ports: (ipv4: UInt16?, ipv6: UInt16?)
        /// Nil where the system gives it no thread.
        var portMapper: PortMapper?
        /// Nil without a TUN interface: there is nothing to route then.
        var interfaceName: String?
        var group: any EventLoopGroup
        var logger: Logger
        /// Certificates to trust besides the system's.
        var trust: Trust
        /// Takes the events of relay pools.
        var relayEvents: @Sendable (RelayEvent) -> Void
    }

    /// Something that keeps the node from doing its work, as `status` names it.
    enum Problem: Int, CaseIterable {
        case login
        case control
        case router
        case relay
        case peerRelay
        case state
    }

    let parts: Parts
    let bus = NotifyBus()

    var stored: StoredState
    var map = NetworkMap()
    var serverClock = ServerClock()
    /// The page on which a person is to allow this login; empty when none is under way.
    var authURL = ""
    /// One line each, for people.
    var problems: [Problem: String] = [:]
    /// The server has sent a map since this session began; until then `map` is a stored one.
    var isMapCurrent = false
    /// How many maps and changes the server has sent.
    var mapCount = 0

    var session: Session?
    /// Wakes the task that tells the server about changes on our side.
    var updateSignal: AsyncStream<Void>.Continuation?
    /// A new node key that is being asked for beside the session; wakes the task that asks.
    var renewal: LoginIntent?
    var renewalSignal: AsyncStream<Void>.Continuation?

    var link = LinkState()
    /// Of the present network.
    var nat64: NAT64Prefix?
    var nat64Task: Task<Void, Never>?
    var ownEndpoints: [OwnEndpoint] = []
    var report: NetReport?
    var portMapping = PortMappingStatus()

    var applied = Applied()
    var relays: (key: NodeKey, pool: RelayPool)?
    var relayLatencies: [Int: Nanoseconds] = [:]
    /// Regions that let nobody in when they were last tried.
    var unreachableRelays: Set<Int> = []
    var resolvedNames: [String: ResolvedName] = [:]
    var nameTask: Task<Void, Never>?
    var namesAskedAt: MonotonicInstant?
    private var aside: Task<Void, Never>?
    let router: (any RouterHandle)?
    var mapSavedAt: MonotonicInstant?
    /// Nil when a session has begun since: what a login takes is not needed again soon.
    var memoryReleasedAt: MonotonicInstant?
    var savedMap: NetworkMap?
    /// What was done to this machine is being undone: nothing is to be done to it any more.
    private(set) var isEnding = false
    private var publishedState: BackendState?
    private var publishedHealth: [String] = []

    /// What the reconcilers did last.
    struct Applied {
        var configuration = DesiredConfiguration()
        var tunnelKey: NodeKey?
        var relayMap = RelayMap()
        var relayRegions: [RelayRegion] = []
        var isPortMappingOn: Bool?
        var isHardNATSearchOn: Bool?
        var isTunnelConfigured = false
        var peerRelay: PeerRelaySettings?
    }

    init(parts: Parts, stored: StoredState, router: (any RouterHandle)?) {
        self.parts = parts
        self.stored = stored
        self.router = router
    }

    var logger: Logger { parts.logger }
    var prefs: Prefs { stored.prefs }
    /// The time by the server's clock.
    var now: Timestamp { serverClock.now(localTime: CivilTime.now(), at: BootClock.now()) }

    // MARK: State

    var isSelfExpired: Bool {
        map.selfNode.map { DesiredConfiguration.isExpired($0, now: now) } ?? false
    }

    /// The server knows our node key and nobody has logged out.
    var isLoggedIn: Bool {
        stored.isRegistered && stored.nodeKey != nil && !prefs.isLoggedOut && !isSelfExpired
    }

    var backendState: BackendState {
        guard isLoggedIn else { return .needsLogin }
        guard prefs.wantsRunning else { return .stopped }
        guard let node = map.selfNode else { return .starting }
        guard node.isMachineAuthorized else { return .needsMachineAuth }
        return .running
    }

    /// What stands in the way, in the order of `Problem`, then what the server says.
    var health: [String] {
        Problem.allCases.compactMap { problems[$0] } + expiryNotice + map.health
    }

    /// Said in the last week of this machine's key.
    private var expiryNotice: [String] {
        guard isLoggedIn, let expiry = map.selfNode?.keyExpiry, !expiry.isZero,
            expiry.unixSeconds - now.unixSeconds < 7 * 86_400
        else { return [] }
        return [
            "this machine's key expires at \(expiry); renew it, while all goes on, with: "
                + "skein up --force-reauth"
        ]
    }

    /// Tells watchers what is different from what they were told last.
    func publishChanges() {
        var notify = Notify()
        let state = backendState
        let health = health
        if state != publishedState { notify.state = state }
        if health != publishedHealth { notify.health = health }
        guard notify.state != nil || notify.health != nil else { return }
        publishedState = state
        publishedHealth = health
        bus.publish(notify)
    }

    func set(_ problem: Problem, _ text: String?) {
        guard problems[problem] != text else { return }
        problems[problem] = text
        if let text { logger.warning("\(text)") }
        publishChanges()
    }

    /// Stores keys and preferences. They are worth more than an answer: what cannot be stored is an
    /// error for the caller.
    func store() throws(StateError) { try parts.files.save(stored) }

    // MARK: Life

    /// Takes up where the last run ended: a node that was up goes up again, with the stored map
    /// until the server is heard.
    func begin() async {
        do throws(StateError) {
            if stored.isRegistered, let response = try parts.files.loadMap() {
                _ = map.apply(response, now: CivilTime.now())
                if map.selfNode?.key != stored.nodeKey?.publicKey { map = NetworkMap() }
            }
        } catch {
            set(.state, error.description)
        }
        reconcile()
        publishChanges()
        if prefs.wantsRunning, isLoggedIn { await startSession(LoginIntent()) }
    }

    /// Undoes everything that was done to this machine.
    func end() async {
        isEnding = true
        // In the background of the rest.
        parts.portMapper?.beginStopping()
        await endSession()
        saveMap(force: true)
        // Not waited for: the system's resolver cannot be interrupted, and may take half a minute.
        nameTask?.cancel()
        nat64Task?.cancel()
        await aside?.value
        if let relays { await relays.pool.shutDown() }
        relays = nil
        router?.removeAll()
        parts.dataPlane.stop()
        parts.portMapper?.stop()
        bus.close()
    }

    // MARK: Events of the parts

    func handle(_ event: NetworkMonitor.Event) {
        let state = event.state
        link = state
        applyLinks()
        tellPortMapper()
        switch event.reason {
        case .started: return discoverNAT64()
        case .failed(let error):
            logger.warning("cannot read the state of the links: \(error)")
            return
        case .changed, .resumed: break
        }
        logger.info("links changed", metadata: ["addresses": "\(state.candidateAddresses)"])
        parts.dataPlane.handleLinkChange()
        relays?.pool.probe(addresses: Set(state.addresses.map(\.prefix.address)))
        resolveNames()
        discoverNAT64()
        if let client = session?.client { doAside { await client.networkChanged() } }
    }

    /// Does what the caller need not wait for, one thing after the other; `end` waits for the last.
    func doAside(_ work: @escaping @Sendable () async -> Void) {
        let previous = aside
        aside = Task {
            await previous?.value
            await work()
        }
    }

    func handle(_ event: DataPlaneEvent) {
        switch event {
        case .ownEndpointsChanged(let endpoints):
            ownEndpoints = endpoints
            updateSignal?.yield()
        case .hardNATPassed(let peer): remember(metThroughHardNAT: peer)
        case .lifetimesLearned(let learned): remember(learned)
        case .report(let report):
            let before = self.report
            self.report = report
            applyHome()
            if before?.homeRelay != report.homeRelay
                || before?.mappingVariesByDestination != report.mappingVariesByDestination
                || before?.hasUDP != report.hasUDP
            {
                updateSignal?.yield()
            }
        case .relayLikely(let region): relays?.pool.prepare(region: region)
        case .peerRelay(let problem): set(.peerRelay, problem)
        case .relayLatencyWanted(let regions):
            for region in regions {
                if let latency = relayLatencies[region] {
                    parts.dataPlane.note(relayLatency: latency, region: region)
                }
            }
        }
    }

    func handle(_ event: RelayEvent) {
        switch event {
        case .connected(let region, let latency):
            relayLatencies[region] = latency
            parts.dataPlane.note(relayLatency: latency, region: region)
            noteRelay(region, isReachable: true)
            if region == homeRelay { set(.relay, nil) }
        case .disconnected(let region, let reason):
            logger.info(
                "relay disconnected", metadata: ["region": "\(region)", "reason": "\(reason)"])
            if region == homeRelay, prefs.wantsRunning {
                set(.relay, "not connected to the home relay \(relayCode(region)): \(reason)")
            }
        case .unreachable(let region): noteRelay(region, isReachable: false)
        case .latency(let region, let latency):
            relayLatencies[region] = latency
            parts.dataPlane.note(relayLatency: latency, region: region)
        case .health(let region, let text):
            set(.relay, text.isEmpty ? nil : "relay \(relayCode(region)): \(text)")
        case .peerGone(let region, let peer, _):
            parts.dataPlane.note(peer: peer, leftRelay: region)
        }
    }

    /// A home that lets nobody in is left at once for the nearest that may; the server is told, so
    /// that peers follow.
    private func noteRelay(_ region: Int, isReachable: Bool) {
        let before = homeRelay
        if isReachable {
            unreachableRelays.remove(region)
        } else {
            unreachableRelays.insert(region)
            // With the last one gone, one that has come back is not to be missed.
            prepareUnreachableRelays()
        }
        guard homeRelay != before else { return }
        logger.info(
            "home relay changed", metadata: ["home": "\(homeRelay.map(relayCode) ?? "none")"])
        applyHome()
        updateSignal?.yield()
    }

    private func prepareUnreachableRelays() {
        for region in unreachableRelays.sorted() { relays?.pool.prepare(region: region) }
    }

    /// The home relay: what was measured, or the first of the map until something was. One that lets
    /// nobody in is passed over while there are others.
    var homeRelay: Int? {
        let known = (map.derpMap.regions ?? [:]).filter {
            !$0.value.isNeverHome && !$0.value.nodes.isEmpty
        }
        let open = known.filter { !unreachableRelays.contains($0.key) }
        let usable = open.isEmpty ? known : open
        if let home = report?.homeRelay, usable[home] != nil { return home }
        let measured = (report?.latencies ?? []).filter { usable[$0.region] != nil }
        let nearest = measured.filter { $0.best != nil }
            .min { ($0.best ?? .zero, $0.region) < ($1.best ?? .zero, $1.region) }
        return nearest?.region ?? usable.keys.min()
    }

    func relayCode(_ region: Int) -> String {
        let code = map.derpMap.regions?[region]?.code ?? ""
        return code.isEmpty ? String(region) : code
    }

    /// A key may have run out since the last look, or a map wait to be saved. Returns when to look
    /// again: seldom, because each look wakes the machine and the server tells what matters.
    func tick() -> Duration {
        // One that comes back is known again, even if nothing is sent to it.
        prepareUnreachableRelays()
        if let expiry = applied.configuration.nextExpiry, expiry <= now { reconcile() }
        saveMap(force: false)
        if let last = namesAskedAt, BootClock.now() - last >= .seconds(60) { resolveNames() }
        publishChanges()
        releaseMemory()
        let isMapUnsaved = isMapCurrent && map.selfNode != nil && map != savedMap
        if isMapUnsaved || !unreachableRelays.isEmpty { return .seconds(10) }
        let longest: Int64 = namesAskedAt == nil ? 600 : 60
        guard let expiry = applied.configuration.nextExpiry else { return .seconds(longest) }
        return .seconds(min(max(expiry.unixSeconds - now.unixSeconds + 1, 1), longest))
    }

    /// Called when the node is awake anyway: after a login, at signs of life of the server, at long
    /// pauses. What was used since the last time is mostly not needed before the next.
    func releaseMemory() {
        let time = BootClock.now()
        if let last = memoryReleasedAt, time - last < .seconds(50) { return }
        memoryReleasedAt = time
        ProcessMemory.releaseUnused()
    }
}
