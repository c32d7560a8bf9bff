import ControlClient
import ControlMessages
import CryptoPrimitives
import DataPlane
import LocalAPI
import NetTypes
import PathEngine

/// What the local interface asks for.
extension LocalNode: NodeControl {
    func prefs() async -> Prefs { stored.prefs }

    func edit(_ change: PrefsChange) async throws(NodeControlError) -> Prefs {
        if let url = change.controlURL {
            do throws(ServerURL.ParseError) { _ = try ServerURL(url) } catch {
                let invalid = ControlClientError.invalidURL(text: url, error)
                throw NodeControlError(.badRequest, "\(invalid)")
            }
        }
        if let name = change.hostname, name.utf8.count > 253 {
            throw NodeControlError(.badRequest, "the host name is longer than 253 bytes")
        }
        let before = stored
        stored.prefs.apply(change)
        do throws(MachineSigner.Failure) {
            if change.machineCertificate != nil || change.machineCertificateKey != nil {
                _ = try machineSigner?.load()
            }
        } catch {
            stored = before
            throw NodeControlError(.badRequest, "\(error)")
        }
        do throws(StateError) {
            if stored.prefs != before.prefs { try store() }
        } catch {
            stored = before
            throw NodeControlError(.internalError, error.description)
        }
        var notify = Notify()
        notify.prefs = stored.prefs
        bus.publish(notify)
        await follow(changeFrom: before.prefs)
        return stored.prefs
    }

    private func follow(changeFrom before: Prefs) async {
        let isOtherServer = before.controlURL != prefs.controlURL
        if isOtherServer {
            // Another server knows nothing of the keys and the map that the old one gave.
            await endSession()
            stored.isRegistered = false
            stored.nodeKey = nil
            stored.nextNodeKey = nil
            map = NetworkMap()
        }
        if !prefs.wantsRunning {
            await endSession()
        } else if isLoggedIn, session == nil {
            await startSession(LoginIntent())
        } else if before != prefs {
            updateSignal?.yield()
        }
        reconcile()
        publishChanges()
    }

    func start(_ options: StartOptions) async throws(NodeControlError) {
        try requireServer()
        guard let key = options.authKey else {
            if isLoggedIn, session == nil { await startSession(LoginIntent()) }
            return
        }
        if options.renewsKey, isLoggedIn, session != nil {
            renewKey(authKey: key)
        } else {
            await startSession(LoginIntent(authKey: key))
        }
    }

    func login() async throws(NodeControlError) {
        try requireServer()
        if isLoggedIn, session != nil {
            renewKey()
        } else {
            await startSession(LoginIntent(isInteractive: true))
        }
    }

    private func requireServer() throws(NodeControlError) {
        guard !prefs.controlURL.isEmpty else {
            throw NodeControlError(
                .badRequest,
                "no coordination server is set; say which: skein up --login-server https://…")
        }
    }

    func logout() async throws(NodeControlError) { try await logOut() }

    func ping(
        _ address: IPAddress, kind: PingKind
    ) async throws(NodeControlError) -> PingResult {
        var result = PingResult(address: address)
        if let node = map.selfNode, node.addresses.contains(IPPrefix(host: address)) {
            result.isOwnAddress = true
            result.nodeName = node.name
            return result
        }
        guard backendState == .running else {
            throw NodeControlError(.conflict, "the tunnel is not up; run: skein up")
        }
        guard let peer = peer(owning: address) else {
            throw NodeControlError(.notFound, "no peer has the address \(address)")
        }
        result.nodeName = shortName(peer)
        result.nodeAddress = peer.addresses.first?.address
        switch await parts.dataPlane.ping(
            peer.key, address: address, isThroughTunnel: kind == .icmp)
        {
        case .answered(let path, let roundTrip):
            result.latencySeconds = roundTrip.inSeconds
            switch path {
            case .direct(let endpoint): result.endpoint = endpoint
            case .peerRelay(let relay):
                result.peerRelay = "\(relay)"
                await explain(&result, peer)
            case .relay(let region):
                result.relayRegion = region
                result.relayCode = relayCode(region)
                await explain(&result, peer)
            case .tunnel: break
            }
        case .timedOut: result.error = "no answer within 5 s"
        case .unknownPeer:
            result.error =
                "\(result.nodeName) cannot be spoken to now: its key is expired or it is not set up yet"
        case .tooMany: throw NodeControlError(.unavailable, "too many pings at once")
        }
        return result
    }

    /// What has been tried besides the relay, and why it failed.
    private func explain(_ result: inout PingResult, _ peer: Node) async {
        guard let path = await parts.dataPlane.snapshot().peers[peer.key]?.path else { return }
        result.obstacle = path.obstacle?.sentence(to: result.nodeName) ?? ""
        result.tried = path.candidates.filter { $0.pingsSent > 0 }.map {
            PingResult.TriedPath(
                $0.endpoint, latencySeconds: $0.roundTrip?.inSeconds, pingCount: $0.pingsSent)
        }
    }

    func whoIs(_ subject: WhoIsSubject) async -> WhoIs? {
        let nodes = map.sortedPeers + [map.selfNode].compactMap { $0 }
        let node =
            switch subject {
            case .nodeKey(let key): nodes.first { $0.key == key }
            case .address(let address):
                nodes.first { $0.addresses.contains(IPPrefix(host: address)) }
            }
        guard let node else { return nil }
        let user =
            map.userProfiles[node.user]
            ?? UserProfile(id: node.user, loginName: "", displayName: "")
        return WhoIs(node: node, user: user)
    }

    func netcheck() async throws(NodeControlError) -> NetcheckReport {
        guard backendState == .running else {
            throw NodeControlError(
                .conflict, "the relays to measure come from the server; run: skein up")
        }
        let (targets, group) = (captivePortalTargets, parts.group)
        async let portal = CaptivePortalCheck.run(targets, group: group)
        guard let report = await parts.dataPlane.netcheck() else {
            throw NodeControlError(.unavailable, "the measurement did not end in time")
        }
        var result = netcheckReport(report)
        result.captivePortal = await portal
        return result
    }

    func derpMap() async -> DERPMap? { map.selfNode == nil ? nil : map.derpMap }

    func watch(_ mask: NotifyMask) async -> AsyncStream<Notify> {
        var first = Notify()
        if mask.contains(.initialState) {
            first.state = backendState
            if !authURL.isEmpty { first.browseToURL = authURL }
        }
        if mask.contains(.initialPrefs) { first.prefs = prefs }
        if mask.contains(.initialHealth) { first.health = health }
        return bus.watch(first: first)
    }

    // MARK: Looking into the daemon

    func debug(action: String) async throws(NodeControlError) -> JSON {
        switch action {
        case "help":
            return .object(
                JSONObject([
                    .init("netmap", .string("the network map as it stands")),
                    .init(
                        "paths",
                        .string(
                            "every candidate address of every peer, counters, what the kernel offloads"
                        )),
                    .init("rebind", .string("act as after a change of links")),
                    .init("restun", .string("measure the network now")),
                ]))
        case "netmap": return try json(map.asResponse.jsonBytes)
        case "paths": return try await json(pathsJSON())
        case "rebind":
            parts.dataPlane.handleLinkChange()
            return .bool(true)
        case "restun":
            _ = await parts.dataPlane.netcheck()
            return .bool(true)
        default:
            throw NodeControlError(
                .badRequest, "there is no debug action \(action); see: skein debug help")
        }
    }

    private func json(_ bytes: [UInt8]) throws(NodeControlError) -> JSON {
        do throws(JSONSyntaxError) { return try JSON(parsing: bytes) } catch {
            throw NodeControlError(.internalError, "unreadable report: \(error)")
        }
    }

    // MARK: Helpers

    func peer(owning address: IPAddress) -> Node? {
        map.sortedPeers.first { $0.addresses.contains(IPPrefix(host: address)) }
            ?? map.sortedPeers.first { peer in
                peer.effectiveAllowedIPs.contains { $0.length > 0 && $0.contains(address) }
            }
    }

    func shortName(_ node: Node) -> String {
        String(node.name.prefix { $0 != "." })
    }
}
