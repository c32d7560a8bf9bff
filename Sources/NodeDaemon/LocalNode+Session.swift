import ControlClient
import ControlMessages
import CryptoPrimitives
import DataPlane
import LinuxIO
import LocalAPI
import Logging
import NetReport
import NetTypes
import NetworkMonitor
import NodeCore
import PathEngine
import PortMapping

/// How a login is to be done.
struct LoginIntent: Sendable {
    /// A pre-auth key; a secret.
    var authKey: String?
    /// Ask for a page to visit when the server wants proof of who we are.
    var isInteractive = false
    /// What is to take the place of a node key that is in order. That one stays in use until the
    /// server has let the new one in.
    var newKey: PrivateKey<NodeKind>?
}

/// The node has another key now: its map is to be asked for with that.
private struct KeyRenewed: Error {}

/// The server refused this login for good; its own words.
struct LoginRefusal: Error, CustomStringConvertible {
    var description: String
}

extension LocalNode {
    /// The line to the coordination server and the task that follows it.
    struct Session {
        var client: ControlClient
        var task: Task<Void, Never>
    }

    /// Replaces whatever session there is. The errors of the session itself go to `problems`.
    func startSession(_ intent: LoginIntent) async {
        await endSession()
        guard !isEnding else { return }
        let client: ControlClient
        do {
            client = try makeClient()
        } catch {
            set(.control, "\(error)")
            bus.publish(errorMessage: "\(error)")
            return
        }
        let task = Task { await self.run(client, intent) }
        session = Session(client: client, task: task)
        publishChanges()
    }

    func endSession() async {
        while let old = session {
            session = nil
            old.task.cancel()
            await old.client.close()
            await old.task.value
        }
        isMapCurrent = false
        renewal = nil
        authURL = ""
        problems[.control] = nil
        problems[.login] = nil
        publishChanges()
    }

    private func makeClient() throws -> ControlClient {
        let url: ServerURL
        do { url = try ServerURL(prefs.controlURL) } catch {
            throw ControlClientError.invalidURL(text: prefs.controlURL, error)
        }
        return try ControlClient(
            ControlClient.Configuration(
                serverURL: url, machineKey: stored.machineKey, trust: parts.trust),
            group: parts.group, logger: logger)
    }

    /// Logs in and follows the network map, again and again, until cancelled or refused. The client
    /// paces attempts that follow failures to reach the server; what fails after the server has
    /// answered (no map, or one that makes no sense, or a full disk) is paced here.
    private func run(_ client: ControlClient, _ first: LoginIntent) async {
        var intent = first
        var pacing = Backoff()
        var random = SecureRandom()
        while !Task.isCancelled {
            let mapsBefore = mapCount
            var isAnswered = false
            do {
                guard try await logIn(client, intent) else { return }
                isAnswered = true
                intent = LoginIntent()
                try await follow(client)
            } catch is KeyRenewed {
                continue
            } catch let refusal as LoginRefusal {
                set(.login, refusal.description)
                bus.publish(errorMessage: refusal.description)
                return
            } catch {
                if Task.isCancelled { return }
                set(.control, "\(error)")
                if mapCount != mapsBefore {
                    pacing.reset()
                } else if isAnswered || !(error is ControlClientError) {
                    pacing.noteFailure()
                    // Cancellation ends the loop.
                    try? await Task.sleep(for: pacing.pause(random: &random))
                }
            }
        }
    }

    // MARK: Login

    /// Returns whether this node is registered; false when a person has to ask for a login first.
    private func logIn(_ client: ControlClient, _ intent: LoginIntent) async throws -> Bool {
        let isRenewal = isLoggedIn && intent.newKey != nil
        let needsProof = !isLoggedIn || isRenewal
        guard
            !needsProof || intent.authKey != nil || intent.isInteractive || machineSigner != nil
        else { return false }
        let previous = stored.nodeKey
        var key = isRenewal ? intent.newKey! : previous ?? stored.nextNodeKey ?? PrivateKey()
        if isSelfExpired { key = stored.nextNodeKey ?? PrivateKey() }
        var followup = ""
        var pause = Duration.milliseconds(250)
        var didRenew = false
        while true {
            try Task.checkCancellation()
            let isNew = key.publicKey != previous?.publicKey
            if isNew { try keep(nextNodeKey: key) }
            var request = RegisterRequest(
                version: CapabilityVersion.own, nodeKey: key.publicKey,
                oldNodeKey: isNew ? previous?.publicKey ?? .zero : .zero,
                authKey: intent.authKey, followup: followup, hostinfo: hostinfo())
            request.machineSignature = try await machineSignature(
                isLogin: needsProof || isNew)
            let response = try await client.register(request)
            set(.control, nil)
            guard response.error.isEmpty else {
                throw LoginRefusal(description: "the server refused this login: \(response.error)")
            }
            if response.isNodeKeyExpired {
                guard !didRenew else {
                    throw LoginRefusal(description: "the server calls a fresh key expired")
                }
                didRenew = true
                key = PrivateKey()
            } else if response.authURL.isEmpty {
                try finishLogin(key, response)
                return true
            } else if !isNew, let next = stored.nextNodeKey {
                // The last run may have ended between the server's yes and our writing it down.
                key = next
            } else if response.authURL != followup {
                followup = response.authURL
                if !isRenewal { try forgetRegistration() }
                announce(authURL: followup)
            } else {
                // The server did not hold the request: do not hurry it.
                try await Task.sleep(for: pause)
                pause = min(pause * 2, .seconds(10))
            }
        }
    }

    /// Writes a key down before the server can have let it in, which may use up a pre-auth key.
    private func keep(nextNodeKey key: PrivateKey<NodeKind>) throws(StateError) {
        guard stored.nextNodeKey?.publicKey != key.publicKey else { return }
        stored.nextNodeKey = key
        try store()
    }

    /// The server wants a proof of who we are: what it agreed to before is void.
    private func forgetRegistration() throws(StateError) {
        guard stored.isRegistered else { return }
        stored.isRegistered = false
        try store()
        reconcile()
    }

    private func announce(authURL url: String) {
        authURL = url
        var notify = Notify()
        notify.browseToURL = url
        bus.publish(notify)
        publishChanges()
    }

    private func finishLogin(
        _ key: PrivateKey<NodeKind>, _ response: RegisterResponse
    ) throws(StateError) {
        if stored.nodeKey?.publicKey != key.publicKey {
            // Peers stay what they are when a key that was in order is replaced.
            if !isLoggedIn { map = NetworkMap() }
            isMapCurrent = false
        }
        stored.nodeKey = key
        stored.nextNodeKey = nil
        stored.isRegistered = true
        stored.loginName =
            response.login.loginName.isEmpty
            ? response.user.displayName : response.login.loginName
        stored.prefs.isLoggedOut = false
        try store()
        authURL = ""
        problems[.login] = nil
        var notify = Notify()
        notify.loginFinished = true
        bus.publish(notify)
        reconcile()
        publishChanges()
    }

    /// Gets a new node key for a node that is logged in, beside the session that goes on with the
    /// old one; a person may take minutes to say yes.
    func renewKey(authKey: String? = nil) {
        renewal = LoginIntent(
            authKey: authKey, isInteractive: true, newKey: stored.nextNodeKey ?? PrivateKey())
        renewalSignal?.yield()
    }

    /// Asks for the new key whenever told to; a request that waits for a person gives way to a
    /// later one, which may have a pre-auth key.
    ///
    /// - Throws: `KeyRenewed`, or the error of a connection.
    private func renewWheneverAsked(_ client: ControlClient) async throws {
        defer { renewalSignal = nil }
        while true {
            // One for each round: a stream whose reader is cancelled has ended.
            let (asked, signal) = AsyncStream.makeStream(
                of: Void.self, bufferingPolicy: .bufferingNewest(1))
            renewalSignal = signal
            if renewal == nil { try await Self.next(of: asked) }
            guard let intent = renewal else { continue }
            do {
                let isDone = try await withThrowingTaskGroup(of: Bool.self) { group in
                    group.addTask { try await self.logIn(client, intent) }
                    group.addTask {
                        try await Self.next(of: asked)
                        return false
                    }
                    defer { group.cancelAll() }
                    return try await group.next() ?? false
                }
                guard isDone else { continue }
                renewal = nil
                throw KeyRenewed()
            } catch let refusal as LoginRefusal {
                renewal = nil
                authURL = ""
                set(.login, refusal.description)
                bus.publish(errorMessage: refusal.description)
            }
        }
    }

    private static func next(of signals: AsyncStream<Void>) async throws {
        for await _ in signals { return }
        throw CancellationError()
    }

    // MARK: Network map

    /// Follows the map until the stream ends, which always throws.
    private func follow(_ client: ControlClient) async throws {
        guard let key = stored.nodeKey?.publicKey else { return }
        let (signals, signal) = AsyncStream.makeStream(
            of: Void.self, bufferingPolicy: .bufferingNewest(1))
        updateSignal = signal
        defer { updateSignal = nil }
        var request = mapRequest(key)
        request.isStreaming = true
        let (questions, question) = AsyncStream.makeStream(
            of: PingRequest.self, bufferingPolicy: .bufferingOldest(Self.questionsMax))
        try await withThrowingTaskGroup(of: Void.self) { [request] group in
            group.addTask {
                var lastURL = ""
                for await asked in questions where asked.url != lastURL {
                    // The server repeats itself until it is answered.
                    lastURL = asked.url
                    await self.answer(asked, through: client)
                }
            }
            group.addTask {
                for await _ in signals { try await client.sendUpdate(await self.update(key)) }
            }
            group.addTask { try await self.renewWheneverAsked(client) }
            group.addTask {
                try await client.streamMap(request) { response in
                    if let asked = response.pingRequest { question.yield(asked) }
                    try await self.take(response, key: key)
                }
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func mapRequest(_ key: NodeKey) -> MapRequest {
        MapRequest(
            version: CapabilityVersion.own, compression: "zstd", wantsKeepAlive: true,
            nodeKey: key, discoKey: stored.discoKey.publicKey, hostinfo: hostinfo(),
            endpoints: ownEndpoints.map(\.endpoint),
            endpointTypes: ownEndpoints.map { endpoint in
                switch endpoint.kind {
                case .local: .local
                case .reflexive: .stun
                case .portMapped: .portMapped
                case .reflexiveAddressLocalPort: .stunWithLocalPort
                }
            })
    }

    private func update(_ key: NodeKey) -> MapRequest {
        var request = mapRequest(key)
        request.omitsPeers = true
        return request
    }

    private func take(_ response: MapResponse, key: NodeKey) throws {
        if let time = response.controlTime {
            serverClock.update(
                serverTime: time, localTime: CivilTime.now(), at: BootClock.now())
            parts.dataPlane.setClock(serverClock)
        }
        guard !response.isKeepAlive else { return releaseMemory() }
        if !isMapCurrent {
            guard response.node != nil else {
                throw ControlClientError.malformedAnswer("the first map lacks this node")
            }
            // A stored map has served its time: peers that left meanwhile must not stay.
            map = NetworkMap()
            isMapCurrent = true
            memoryReleasedAt = nil
            // The server has yet to hear which relay of this map is our home.
            updateSignal?.yield()
        }
        let changes = map.apply(response, now: now)
        mapCount += 1
        set(.control, nil)
        guard !changes.isEmpty else { return }
        reconcile()
        saveMap(force: false)
        publishChanges()
    }

    /// Writes the map for the next start, at most every ten seconds unless forced.
    func saveMap(force: Bool) {
        guard isMapCurrent || force, map.selfNode != nil, map != savedMap else { return }
        let time = BootClock.now()
        if !force, let last = mapSavedAt, time - last < .seconds(10) { return }
        do throws(StateError) {
            try parts.files.save(map)
            mapSavedAt = time
            savedMap = map
        } catch {
            set(.state, error.description)
        }
    }

    /// Tells the server that this node's key is to end, and forgets it.
    func logOut() async throws(NodeControlError) {
        if let key = stored.nodeKey, stored.isRegistered {
            do {
                if let client = session?.client {
                    try await endKey(key.publicKey, client)
                } else {
                    let client = try makeClient()
                    defer { doAside { await client.close() } }
                    try await endKey(key.publicKey, client)
                }
            } catch {
                throw NodeControlError(
                    .unavailable, "could not tell the server to log this node out: \(error)")
            }
        }
        await endSession()
        stored.nodeKey = nil
        stored.nextNodeKey = nil
        stored.isRegistered = false
        stored.loginName = ""
        stored.prefs.isLoggedOut = true
        stored.prefs.wantsRunning = false
        map = NetworkMap()
        do throws(StateError) {
            try store()
            try parts.files.removeMap()
        } catch {
            throw NodeControlError(.internalError, error.description)
        }
        reconcile()
        publishChanges()
    }

    private func endKey(_ key: NodeKey, _ client: ControlClient) async throws {
        let request = RegisterRequest(
            version: CapabilityVersion.own, nodeKey: key,
            expiry: Timestamp(unixSeconds: 123), hostinfo: hostinfo())
        do {
            _ = try await client.register(request)
        } catch ControlClientError.connectionLost {
            // The one there was: after a change of networks it may have been dead for seconds.
            _ = try await client.register(request)
        }
    }

    // MARK: What we tell

    func hostinfo() -> Hostinfo {
        var info = HostInformation.hostinfo(
            hostname: prefs.hostname, backendLogID: stored.backendLogID,
            advertisedRoutes: prefs.advertisedRoutes, tags: prefs.advertisedTags)
        info.netInfo = netInfo()
        if prefs.relayServerPort != nil { info.members["PeerRelay"] = .bool(true) }
        return info
    }

    private func netInfo() -> NetInfo? {
        guard homeRelay != nil || report != nil else { return nil }
        var info = NetInfo()
        info.preferredDERP = homeRelay ?? 0
        guard let report else { return info }
        info.mappingVariesByDestination = report.mappingVariesByDestination
        if !portMapping.endpoints.isEmpty { info.hasPortMapping = true }
        info.speaksUPnP = portMapping.upnp
        info.speaksNATPMP = portMapping.natPMP
        info.speaksPCP = portMapping.pcp
        info.isUDPWorking = report.hasUDP
        info.isIPv6Working = report.hasIPv6
        info.hasSystemIPv6 = link.hasDefaultRouteV6
        var latencies: [String: Double] = [:]
        for entry in report.latencies {
            if let time = entry.ipv4 { latencies["\(entry.region)-v4"] = time.inSeconds }
            if let time = entry.ipv6 { latencies["\(entry.region)-v6"] = time.inSeconds }
        }
        info.regionLatency = latencies
        return info
    }
}

extension NotifyBus {
    func publish(errorMessage: String) {
        var notify = Notify()
        notify.errorMessage = errorMessage
        publish(notify)
    }
}
