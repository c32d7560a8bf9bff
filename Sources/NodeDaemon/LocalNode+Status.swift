import ControlClient
import ControlMessages
import DataPlane
import LinuxIO
import LocalAPI
import NetReport
import NetTypes
import NetworkMonitor
import NodeCore
import PathEngine
import PortMapping

extension LocalNode {
    func status(peers includesPeers: Bool) async -> Status {
        let snapshot = await parts.dataPlane.snapshot()
        var status = Status()
        status.version = SkeinVersion.text
        status.hasTUN = parts.interfaceName != nil
        status.backendState = backendState
        status.haveNodeKey = stored.nodeKey != nil
        status.authURL = authURL
        status.health = health
        guard isLoggedIn, let node = map.selfNode else { return status }
        status.addresses = node.addresses.map(\.address)
        status.own = ownStatus(node)
        status.magicDNSSuffix = map.magicDNSSuffix
        status.tailnet = TailnetStatus(
            name: map.domain, magicDNSSuffix: map.magicDNSSuffix,
            magicDNSEnabled: map.dnsConfig.isProxied)
        status.users = map.userProfiles
        guard includesPeers else { return status }
        let inTunnel = Set(applied.configuration.peers.map(\.nodeKey))
        for peer in map.sortedPeers {
            var entry = describe(peer)
            entry.isInTunnel = inTunnel.contains(peer.key)
            entry.isInPathEngine = entry.isInTunnel
            if let live = snapshot.peers[peer.key] { fill(&entry, live, snapshot) }
            status.peers[peer.key] = entry
        }
        return status
    }

    private func ownStatus(_ node: Node) -> PeerStatus {
        var own = describe(node)
        own.hostName = hostinfo().hostname
        own.endpoints = ownEndpoints.map(\.endpoint)
        own.relay = homeRelay.map(relayCode) ?? ""
        own.isOnline = isMapCurrent
        own.isInTunnel = backendState == .running
        own.isInPathEngine = own.isInTunnel
        return own
    }

    private func describe(_ node: Node) -> PeerStatus {
        var entry = PeerStatus()
        entry.id = node.stableID
        entry.nodeID = node.id
        entry.publicKey = node.key
        entry.hostName = node.hostinfo?.hostname ?? shortName(node)
        entry.dnsName = node.name
        entry.os = node.hostinfo?.operatingSystem ?? ""
        entry.userID = node.user
        entry.addresses = node.addresses.map(\.address)
        entry.allowedIPs = node.effectiveAllowedIPs
        entry.tags = node.tags
        entry.primaryRoutes = node.primaryRoutes
        entry.endpoints = node.endpoints ?? []
        entry.relay = node.homeDERP > 0 ? relayCode(node.homeDERP) : ""
        entry.created = node.created
        entry.lastSeen = node.lastSeen ?? .zero
        entry.isOnline = node.isOnline ?? false
        entry.offersExitNode = node.effectiveAllowedIPs.contains { $0.length == 0 }
        entry.isInNetworkMap = true
        entry.isExpired = DesiredConfiguration.isExpired(node, now: now)
        entry.keyExpiry = node.keyExpiry.isZero ? nil : node.keyExpiry
        return entry
    }

    private func fill(
        _ entry: inout PeerStatus, _ live: DataPlaneSnapshot.Peer, _ snapshot: DataPlaneSnapshot
    ) {
        entry.receivedBytes = Int64(clamping: live.receivedBytes)
        entry.sentBytes = Int64(clamping: live.sentBytes)
        entry.currentEndpoint = live.path.currentEndpoint
        entry.peerRelay = live.path.peerRelay?.description ?? ""
        entry.isActive = live.path.isActive
        if let obstacle = live.path.obstacle, obstacle != .idle {
            entry.obstacle = obstacle.sentence(to: entry.hostName)
        }
        if let time = live.lastHandshake { entry.lastHandshake = time }
        if let sent = live.path.lastSentAt {
            let age = snapshot.takenAt - sent
            entry.lastWrite = CivilTime.now() + Nanoseconds(count: -age.count)
        }
    }

    func netcheckReport(_ report: NetReport) -> NetcheckReport {
        var result = NetcheckReport()
        result.udp = report.hasUDP
        result.ipv4 = report.hasIPv4
        result.ipv6 = report.hasIPv6
        result.mappingVariesByDestination = report.mappingVariesByDestination
        result.preferredRelay = report.homeRelay ?? 0
        for entry in report.latencies {
            result.latencies[entry.region] = entry.best?.count
            result.ipv4Latencies[entry.region] = entry.ipv4?.count
            result.ipv6Latencies[entry.region] = entry.ipv6?.count
        }
        result.globalIPv4 = report.globalIPv4.first
        result.globalIPv6 = report.globalIPv6.first
        result.isBehindNAT = report.globalIPv4.first.map { seen in
            !link.addresses.contains { $0.prefix.address == seen.address }
        }
        result.nat = report.nat
        result.isFilteringBound = report.evidence?.isFilteringBound ?? false
        result.mappingLifetime = report.mappingLifetime.map { Int($0.count / 1_000_000_000) }
        result.nat64Prefix = nat64?.description
        result.upnp = portMapping.upnp
        result.natPMP = portMapping.natPMP
        result.pcp = portMapping.pcp
        for mapping in portMapping.mappings where mapping.isReachable {
            result.portMappings["\(mapping.external)"] =
                Int(mapping.lifetime.count / 1_000_000_000)
        }
        for (id, region) in map.derpMap.regions ?? [:] {
            result.regions[id] = .init(code: region.code, name: region.name)
        }
        return result
    }

    /// Relays that answer a captive portal check over plain HTTP, at most five.
    var captivePortalTargets: [CaptivePortalCheck.Target] {
        // A URL that does not parse has already been refused where the session starts.
        let server = try? ServerURL(prefs.controlURL)
        let nodes = (map.derpMap.regions ?? [:]).sorted { $0.key < $1.key }.flatMap(\.value.nodes)
        let targets = nodes.compactMap { node -> CaptivePortalCheck.Target? in
            let host = IPAddress(node.ipv4)?.description ?? node.hostName
            if node.canPort80 { return .init(host: host, port: 80) }
            guard let server, server.scheme == .http, server.host == node.hostName else {
                return nil
            }
            return .init(host: host, port: Int(server.port))
        }
        return Array(targets.prefix(5))
    }

    /// For `skein debug paths`.
    func pathsJSON() async -> [UInt8] {
        let snapshot = await parts.dataPlane.snapshot()
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("Peers")
            writer.array { writer in
                for peer in map.sortedPeers {
                    guard let live = snapshot.peers[peer.key] else { continue }
                    write(peer, live, snapshot.takenAt, to: &writer)
                }
            }
            writer.key("Counters")
            writer.object { writer in
                for (name, value) in snapshot.counters { writer.keep(name, value) }
            }
            writer.key("Offloads")
            writer.object { writer in
                for (name, value) in snapshot.offloads { writer.keep(name, value) }
            }
        }
        return writer.bytes
    }

    private func write(
        _ peer: Node, _ live: DataPlaneSnapshot.Peer, _ takenAt: MonotonicInstant,
        to writer: inout JSONWriter
    ) {
        writer.object { writer in
            writer.keep("Name", shortName(peer))
            writer.keep("Current", live.path.currentEndpoint?.description ?? "")
            writer.omit("PeerRelay", live.path.peerRelay?.description ?? "")
            writer.omit("Relay", live.path.relayRegion ?? 0)
            writer.key("Candidates")
            writer.array { writer in
                for candidate in live.path.candidates {
                    writer.object { writer in
                        writer.keep("Endpoint", candidate.endpoint.description)
                        writer.keep("PingsSent", candidate.pingsSent)
                        writer.keep("PongsReceived", candidate.pongsReceived)
                        if let time = candidate.roundTrip {
                            writer.keep("RoundTripMs", time.inMilliseconds)
                        }
                        if let time = candidate.lastPongAt {
                            writer.keep("LastPongSecondsAgo", (takenAt - time).inSeconds)
                        }
                    }
                }
            }
        }
    }
}
