import Disco
import LinuxIO
import Logging
import NetReport
import NetTypes
import NodeCore
import PathEngine
import PeerRelay
import UDPSocket

// Both ends of peer relays: packets of this node that take such a way, and the relay that this node is
// for others.
extension PacketLoop {
    // MARK: As a client

    /// What a datagram behind a Geneve header is: returns the endpoint that stands for the way it came,
    /// when the bytes behind the header are a WireGuard message.
    mutating func takeGeneve(
        _ datagram: RawSpan, _ header: GeneveHeader, from source: Endpoint
    ) -> Endpoint? {
        switch header.content {
        case .disco:
            paths.handleGeneve(datagram, header, from: source, at: now)
            return nil
        case .wireGuard:
            let path = paths.relayedSource(header, from: source)
            if path == nil { counters.unknownDatagrams += 1 }
            return path
        }
    }

    /// Puts a packet among those for peer relays; they leave before the loop sleeps. `ecn` are the two
    /// bits of its IP header.
    func sendByPeerRelay(_ message: RawSpan, to path: Endpoint, ecn: UInt8 = 0) {
        guard let relay = paths.peerRelay(at: path) else { return }
        if !peerRelayOutbox.hasRoom(for: message.byteCount) { flushPeerRelayOutbox() }
        peerRelayOutbox.append(message, through: relay, endpoint: outward(relay.server), ecn: ecn)
    }

    func flushPeerRelayOutbox() {
        guard !peerRelayOutbox.isEmpty else { return }
        // A kernel that turns out not to segment is found out again each time: that is rare.
        var offloads = (ipv4: ipv4Offloads, ipv6: ipv6Offloads)
        peerRelayOutbox.send { buffer in
            let ipv4 = ipv4?.send(buffer, offloads: &offloads.ipv4)
            let ipv6 = ipv6?.send(buffer, offloads: &offloads.ipv6)
            return (ipv4?.lost ?? 0) + (ipv6?.lost ?? 0)
        }
    }

    // MARK: As a relay

    /// Opens or closes the relay.
    mutating func apply(_ settings: PeerRelaySettings?) {
        guard settings != peerRelay?.settings else { return }
        peerRelay = nil
        guard let settings else { return onEvent(.peerRelay(problem: nil)) }
        do throws(UDPSocket.OpenError) {
            let role = try PeerRelayRole(settings, mark: socketMark)
            do throws(SystemError) {
                try poller.add(role.descriptors.ipv4, token: Token.peerRelay4)
                if let descriptor = role.descriptors.ipv6 {
                    try poller.add(descriptor, token: Token.peerRelay6)
                }
            } catch {
                throw .system(error)
            }
            peerRelay = role
            applyToPeerRelay()
            onEvent(.peerRelay(problem: nil))
            logger.info("relaying for others", metadata: ["port": "\(role.port)"])
        } catch {
            onEvent(.peerRelay(problem: "cannot relay for others: \(error)"))
        }
    }

    /// The relay learns of the links and of the STUN servers.
    mutating func applyToPeerRelay() {
        guard let peerRelay else { return }
        peerRelay.setLinks(links.addresses, at: now)
        let nodes = relayRegions.filter(\.isMeasured).flatMap(\.nodes)
        let servers = nodes.flatMap { node -> [Endpoint] in
            guard let port = node.stunPort else { return [] }
            return [node.ipv4.map { IPAddress.v4($0) }, node.ipv6.map { IPAddress.v6($0) }]
                .compactMap { $0.map { Endpoint($0, port: port) } }
        }
        peerRelay.addresses.setServers(servers, at: now)
    }

    mutating func readPeerRelay(_ family: UDPSocket.Family) throws(SystemError) {
        try peerRelay?.serve(family, at: now)
    }

    /// A peer that may use our relay wants a way through it.
    mutating func allocate(
        _ clients: [DiscoKey], _ generation: UInt32, for peer: Int
    ) {
        guard let peerRelay, let entry = peers[peer] else { return }
        do throws(PeerRelayRefusal) {
            let offer = try peerRelay.server.allocate(
                clients: clients, requester: entry.desired.discoKey, at: now)
            paths.sendRelayAllocation(offer, generation: generation, to: peer)
        } catch {
            logger.info(
                "no way through this relay",
                metadata: [
                    "peer": "\(entry.desired.nodeKey.shortText)", "reason": "\(error)",
                ])
        }
    }

    func peerRelayCounters() -> [(name: String, value: Int64)] {
        guard let peerRelay else { return [] }
        let server = peerRelay.server.counters
        var list: [(name: String, value: Int64)] = [
            ("peer-relay-allocations", Int64(peerRelay.server.allocationCount)),
            ("peer-relay-allocated", Int64(server.allocated)),
            ("peer-relay-refused", Int64(server.refused)),
            ("peer-relay-binds", Int64(server.binds)),
            ("peer-relay-packets", Int64(server.forwardedPackets)),
            ("peer-relay-bytes", Int64(server.forwardedBytes)),
            ("peer-relay-not-sent", peerRelay.notSent),
        ]
        for reason in PeerRelayDropReason.allCases {
            list.append(("peer-relay-\(reason)", Int64(server.dropped[reason] ?? 0)))
        }
        return list
    }
}
