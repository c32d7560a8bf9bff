import CryptoPrimitives
import IPPacket
import LinuxIO
import Logging
import NetReport
import NetTypes
import NodeCore
import PacketFilter
import PathEngine
import UDPSocket
import WireGuard

// What other threads want, and what they are told.
extension PacketLoop {
    mutating func takeMail(_ pools: inout PacketPools) {
        var mail = mailbox.take()
        isStopping = mail.isStopping
        if let configuration = mail.configuration { apply(configuration) }
        if let clock = mail.serverClock { serverClock = clock }
        if let links = mail.links {
            self.links = links
            applyLocalEndpoints()
            applyToPeerRelay()
        }
        if let settings = mail.peerRelay { apply(settings) }
        if let endpoints = mail.portMappedEndpoints {
            portMappedEndpoints = endpoints
            paths.setPortMappedEndpoints(endpoints, at: now)
        }
        if let isEnabled = mail.searchesHardNAT {
            searchesHardNAT = isEnabled
            paths.setHardNAT(isEnabled: isEnabled)
        }
        if mail.didLinkChange {
            paths.handleLinkChange(at: now)
            netReport.handleLinkChange(at: now)
        }
        for (peer, region) in mail.peersGone { paths.noteRelayPeerGone(peer, region: region) }
        for (region, latency) in mail.relayLatencies {
            netReport.noteRelayLatency(region: region, latency, at: now)
        }
        counters.droppedByMailbox += Int64(mail.droppedRelayPackets)
        for index in mail.relayBatches.indices { takeRelayed(&mail.relayBatches[index], &pools) }
        for request in mail.requests { serve(request) }
    }

    // MARK: Configuration

    private mutating func apply(_ configuration: TunnelConfiguration) {
        let key = configuration.privateKey
        if key?.publicKey != wireGuard.publicKey {
            removeAllPeers()
            wireGuard.setPrivateKey(key)
            paths = PathEngine(
                nodeKey: key?.publicKey ?? .zero, discoKey: discoKey,
                settings: PathSettings(
                    acceptsLoopback: acceptsLoopback,
                    tunnelPrefixes: [.tunnelIPv6]),
                random: SecureRandom())
            sideSockets.closeAll()
            paths.setHardNAT(isEnabled: searchesHardNAT)
            paths.setHardNATSuccesses(hardNATPeers)
            applySTUNServers()
            applyLocalEndpoints()
            paths.setPortMappedEndpoints(portMappedEndpoints, at: now)
            if let report = netReport.lastReport { apply(report) }
        }
        filter.install(configuration.filter)
        ownAddresses = configuration.addresses
        configured = configuration.peers
        applyPeers()
        apply(configuration.relayRegions, isUp: key != nil)
    }

    /// Measures as soon as there is a STUN server to ask: names in the map take time to resolve.
    private mutating func apply(_ regions: [RelayRegion], isUp: Bool) {
        let isKnown = regions == relayRegions
        relayRegions = regions
        if !isKnown {
            netReport.setRegions(regions)
            applySTUNServers()
            applyToPeerRelay()
        }
        let canMeasure = regions.contains { region in
            region.nodes.contains { $0.stunPort != nil && ($0.ipv4 != nil || $0.ipv6 != nil) }
        }
        guard isUp, canMeasure else { return netReport.stopRefreshing() }
        netReport.startRefreshing(at: now)
        if !isKnown { netReport.handleLinkChange(at: now) }
    }

    private mutating func applySTUNServers() {
        let nodes = relayRegions.filter(\.isMeasured).flatMap(\.nodes)
        paths.setSTUNServers(
            nodes.compactMap { node in
                guard let address = node.ipv4, let port = node.stunPort else { return nil }
                return Endpoint(.v4(address), port: port)
            })
    }

    /// Those of the configuration, and those set by hand that it does not have.
    mutating func applyPeers() {
        let known = Set(configured.map(\.nodeKey))
        let plain = plainPeers.keys.sorted().filter { !known.contains($0) }
        let wanted = known.union(plain)
        for number in peers.entries.indices {
            guard let entry = peers[number], !wanted.contains(entry.desired.nodeKey) else {
                continue
            }
            remove(number)
        }
        for peer in configured { upsert(peer, keepalive: .zero) }
        for key in plain {
            if let peer = plainPeers[key] { upsert(peer.desired, keepalive: peer.keepalive) }
        }
    }

    private mutating func removeAllPeers() {
        for number in peers.entries.indices where peers[number] != nil { remove(number) }
    }

    private mutating func remove(_ number: Int) {
        guard let entry = peers[number] else { return }
        wireGuard.removePeer(entry.desired.nodeKey)
        paths.removePeer(index: number)
        peers[number] = nil
    }

    private mutating func upsert(_ peer: DesiredPeer, keepalive: Nanoseconds) {
        let known = wireGuard.peer(withKey: peer.nodeKey)
        if let known, peers[known.number]?.desired == peer, plainPeers[peer.nodeKey] == nil {
            return
        }
        do throws(PeerConfigurationError) {
            let index = try wireGuard.upsertPeer(
                PeerConfiguration(
                    publicKey: peer.nodeKey,
                    presharedKey: plainPeers[peer.nodeKey]?.presharedKey,
                    allowedIPs: peer.allowedIPs, persistentKeepalive: keepalive), at: now)
            var entry = PeerTable.Entry(desired: peer)
            entry.isUnfiltered = plainPeers[peer.nodeKey] != nil
            if peer.isWireGuardOnly {
                let isNew = peers[index.number]?.desired.endpoints != peer.endpoints
                let heard = isNew ? nil : peers[index.number]?.plainEndpoint
                entry.plainEndpoint = heard ?? peer.endpoints.first
            } else {
                paths.upsertPeer(
                    PathPeer(
                        nodeKey: peer.nodeKey, discoKey: peer.discoKey,
                        homeRelay: peer.homeRelay, endpoints: peer.endpoints,
                        relayRoles: peer.relayRoles),
                    index: index.number, at: now)
            }
            peers[index.number] = entry
        } catch {
            logger.error(
                "peer left out",
                metadata: ["peer": "\(peer.nodeKey.shortText)", "reason": "\(error)"])
        }
    }

    // MARK: Links

    private mutating func applyLocalEndpoints() {
        let endpoints = links.addresses.compactMap { address -> Endpoint? in
            (address.isIPv4 ? ipv4Port : ipv6Port).map { Endpoint(address, port: $0) }
        }
        var families = links.families
        if ipv4Port == nil { families.remove(.ipv4) }
        if ipv6Port == nil { families.remove(.ipv6) }
        if ipv6Port != nil, links.nat64 != nil { families.insert(.ipv4) }
        netReport.setAddressFamilies(families)
        paths.setLocalEndpoints(endpoints, at: now)
    }

    // MARK: Events of the engines

    mutating func drainWireGuardEvents() {
        while let event = wireGuard.pollEvent() {
            switch event {
            case .authenticated(let peer, let source): noteAuthentic(peer, from: source)
            case .handshakeAbandoned(let peer):
                logger.info(
                    "peer does not answer handshakes",
                    metadata: ["peer": "\(peers[peer.number]?.desired.nodeKey.shortText ?? "")"])
            case .sessionEstablished, .keysErased, .unknownInitiator: continue
            }
        }
    }

    mutating func handle(_ event: NetReportEvent) {
        switch event {
        case .relayLatencyWanted(let regions): onEvent(.relayLatencyWanted(regions))
        case .probeSocketsWanted(let count): openProbes(count)
        case .probeSocketsDone: closeProbes()
        case .lifetimesLearned(let learned): onEvent(.lifetimesLearned(learned))
        case .report(let report):
            apply(report)
            onEvent(.report(report))
            // Another one follows that says more.
            guard !netReport.isMeasuring else { return }
            let waiting = netchecks
            netchecks = []
            for answer in waiting { answer(report) }
        }
    }

    private mutating func apply(_ report: NetReport) {
        paths.setNATBehavior(report.nat)
        paths.setMappingLifetime(report.mappingLifetime)
        paths.setReflexiveEndpoints(
            report.reflexiveEndpoints, mappingVaries: report.mappingVariesByDestination ?? false,
            isSilent: report.isSilent, at: now)
    }

    mutating func handle(_ event: PathEvent) {
        switch event {
        case .ownEndpointsChanged(let endpoints): onEvent(.ownEndpointsChanged(endpoints))
        case .freshEndpointsWanted:
            netReport.startQuick(at: now)
            drainNetReport()
        case .relayLikely(let region): onEvent(.relayLikely(region))
        case .relayAllocationWanted(let peer, let clients, let generation):
            allocate(clients, generation, for: peer)
        case .pathChanged(let peer, let direct):
            logger.info(
                "path changed",
                metadata: [
                    "peer": "\(peers[peer]?.desired.nodeKey.shortText ?? "")",
                    "path": "\(direct.map { describe($0) } ?? "relay")",
                ])
            // Packets may be waiting for a handshake that found no path, or whose message a relay
            // dropped because the peer had not come to it yet.
            if direct != nil {
                wireGuard.noteNotSent(to: PeerIndex(number: peer))
                wireGuard.initiateHandshake(ifWaitingFor: PeerIndex(number: peer), at: now)
            }
        case .hardNATPassed(let peer):
            guard let key = peers[peer]?.desired.nodeKey else { return }
            hardNATPeers.insert(key)
            onEvent(.hardNATPassed(key))
        case .pingAnswered(let id, _, let from, let roundTrip):
            guard let answer = pings.removeValue(forKey: id) else { return }
            switch from {
            case .udp(let endpoint):
                let relay = paths.peerRelay(at: endpoint)
                answer(
                    .answered(
                        relay.map { .peerRelay($0) } ?? .direct(endpoint), roundTrip: roundTrip))
            case .relay(let region, _):
                answer(.answered(.relay(region: region), roundTrip: roundTrip))
            }
        case .pingTimedOut(let id, _): pings.removeValue(forKey: id)?(.timedOut)
        }
    }

    private func describe(_ path: Endpoint) -> String {
        paths.peerRelay(at: path).map { "peer-relay \($0)" } ?? path.description
    }
}
