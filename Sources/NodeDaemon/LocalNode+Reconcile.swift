import ControlClient
import ControlMessages
import CryptoPrimitives
import DERPClient
import DataPlane
import LinuxIO
import LocalAPI
import Logging
import NetTypes
import NodeCore
import PacketFilter

extension LocalNode {
    /// Makes the tunnel, the router and the relay connections what the preferences and the map ask
    /// for. Cheap when nothing is different.
    func reconcile() {
        guard !isEnding else { return }
        let isUp = backendState == .running
        let desired =
            isUp
            ? DesiredConfiguration(
                map: map,
                settings: NodeSettings(
                    acceptsRoutes: prefs.acceptsRoutes, shieldsUp: prefs.shieldsUp,
                    advertisedRoutes: prefs.advertisedRoutes),
                now: now)
            : DesiredConfiguration()
        reconcileRelays(isUp: isUp)
        reconcileTunnel(desired, key: isUp ? stored.nodeKey : nil)
        reconcileRouter(desired)
        reconcilePortMapping()
        reconcileHardNATSearch()
        reconcilePeerRelay(isUp: isUp)
        applied.configuration = desired
    }

    private func reconcileTunnel(_ desired: DesiredConfiguration, key: PrivateKey<NodeKind>?) {
        let regions = key == nil ? [] : relayTranslation.regions(map.derpMap)
        let isSame =
            applied.isTunnelConfigured && desired.peers == applied.configuration.peers
            && desired.filterRules == applied.configuration.filterRules
            && desired.localPrefixes == applied.configuration.localPrefixes
            && key?.publicKey == applied.tunnelKey && regions == applied.relayRegions
        guard !isSame else { return }
        applied.isTunnelConfigured = true
        applied.tunnelKey = key?.publicKey
        applied.relayRegions = regions
        parts.dataPlane.configure(
            TunnelConfiguration(
                privateKey: key, peers: desired.peers,
                filter: filterTable(desired), addresses: desired.addresses,
                relayRegions: regions))
    }

    private func filterTable(_ desired: DesiredConfiguration) -> FilterTable {
        var problems: [PacketRule.Problem] = []
        let rules = desired.filterRules.map { rule in
            PacketRule(
                sources: rule.sources,
                destinations: rule.destinationPorts.map {
                    PacketRule.DestinationText(
                        $0.address, firstPort: $0.ports.lowerBound, lastPort: $0.ports.upperBound)
                },
                protocols: rule.protocols, problems: &problems)
        }
        for problem in problems {
            logger.warning("part of a filter rule left out", metadata: ["part": "\(problem)"])
        }
        return FilterTable(
            compiling: FilterConfiguration(
                rules: rules, localDestinations: AddressSet(desired.localPrefixes),
                shieldsUp: prefs.shieldsUp))
    }

    private func reconcileRouter(_ desired: DesiredConfiguration) {
        guard let router else { return }
        set(.router, router.apply(addresses: desired.addresses, routes: desired.routes))
    }

    /// Relays UDP for peers if this machine's user wants it and the network has not forbidden it.
    private func reconcilePeerRelay(isUp: Bool) {
        let isForbidden = map.selfNode?.capabilities["disable-relay-server"] != nil
        let wanted = prefs.relayServerPort.flatMap { port in
            isUp && !isForbidden
                ? PeerRelaySettings(port: port, staticEndpoints: prefs.relayServerStaticEndpoints)
                : nil
        }
        guard wanted != applied.peerRelay else { return }
        applied.peerRelay = wanted
        parts.dataPlane.setPeerRelay(wanted)
    }

    // MARK: Relays

    private func reconcileRelays(isUp: Bool) {
        guard isUp, let key = stored.nodeKey else {
            if let old = relays?.pool {
                relays = nil
                applied.relayMap = RelayMap()
                doAside { await old.shutDown() }
            }
            return
        }
        if relays?.key != key.publicKey {
            if let old = relays?.pool { doAside { await old.shutDown() } }
            relays = (key.publicKey, makePool(key))
            applied.relayMap = RelayMap()
        }
        let wanted = relayTranslation.relayMap(map.derpMap)
        if wanted != applied.relayMap {
            applied.relayMap = wanted
            relays?.pool.update(map: wanted)
            resolveNames()
        }
        applyHome()
    }

    private func makePool(_ key: PrivateKey<NodeKind>) -> RelayPool {
        let dataPlane = parts.dataPlane
        let pool = RelayPool(
            nodeKey: key, group: parts.group, logger: logger, configuration: relayConfiguration,
            onPackets: { batch in
                dataPlane.receive(
                    RelayBatch(
                        region: batch.region, bytes: batch.bytes,
                        packets: batch.packets.map {
                            RelayBatch.Packet(source: $0.source, range: $0.range)
                        }))
            },
            onEvent: parts.relayEvents)
        dataPlane.setRelay { region, peer, packet in
            pool.send(region: region, to: peer, packet: packet)
        }
        return pool
    }

    private var relayConfiguration: RelayPoolConfiguration {
        var configuration = RelayPoolConfiguration()
        if case .systemAndFile(let path) = parts.trust { configuration.trustFile = path }
        return configuration
    }

    func applyHome() { relays?.pool.setHome(region: homeRelay) }

    private var relayTranslation: RelayTranslation {
        var server: (host: String, port: UInt16)?
        // A URL that does not parse has already been refused where the session starts.
        if let url = try? ServerURL(prefs.controlURL), url.scheme == .http {
            server = (url.host, url.port)
        }
        return RelayTranslation(
            plainHTTPServer: server, resolved: resolvedNames, nat64: nat64)
    }

    /// Asks for the addresses of relays that the map gives none for, unless they are known. Those
    /// that were not found are asked for again when the links change, and every minute.
    func resolveNames() {
        let wanted = RelayTranslation.namesToResolve(map.derpMap).prefix(256)
        let names = wanted.filter { resolvedNames[$0] == nil }
        guard !names.isEmpty else {
            namesAskedAt = nil
            return
        }
        guard nameTask == nil, relays != nil, !isEnding else { return }
        namesAskedAt = BootClock.now()
        // What the map no longer names is forgotten.
        resolvedNames = resolvedNames.filter { wanted.contains($0.key) }
        nameTask = Task {
            var found: [String: ResolvedName] = [:]
            for name in names where !Task.isCancelled {
                found[name] = await NameResolver.resolve(name)
            }
            self.take(resolved: found)
        }
    }

    private func take(resolved: [String: ResolvedName]) {
        nameTask = nil
        resolvedNames.merge(resolved) { $1 }
        if !resolved.isEmpty { reconcile() }
    }
}
