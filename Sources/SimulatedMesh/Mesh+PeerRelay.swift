import CryptoPrimitives
import Disco
import NetTypes
package import PathEngine
import PeerRelay
import SimulatedNetwork

/// A node's UDP relay, on a port of its own.
final class PeerRelaying {
    static let port: UInt16 = 7_777

    var server: PeerRelayServer<SeededRandom>

    init(seed: UInt64, at addresses: [IPAddress]) {
        server = PeerRelayServer(
            key: privateKey(seed, DiscoKind.self), random: SeededRandom(seed: seed ^ 4))
        server.setEndpoints(addresses.map { Endpoint($0, port: Self.port) })
    }
}

extension Mesh {
    /// The node relays UDP for all others from now on; the first call before `start`. Called again,
    /// it stands for a relay that was started anew.
    package func makePeerRelay(_ index: Int) {
        peerRelays.insert(index)
        relayCount += 1
        nodes[index].peerRelay = PeerRelaying(
            seed: seed &* 31 &+ UInt64(relayCount),
            at: network.addresses(of: nodes[index].host))
    }

    /// The node's relay is gone, and nobody is told.
    package func stopPeerRelay(_ index: Int) { nodes[index].peerRelay = nil }

    /// Packets that the node has relayed.
    package func relayedCount(by index: Int) -> Int {
        nodes[index].peerRelay?.server.counters.forwardedPackets ?? 0
    }

    /// The way through a peer relay by which the node's packets to a peer go.
    package func peerRelay(_ one: Int, _ other: Int) -> PeerRelayAddress? {
        nodes[one].paths.status(of: other, at: now)?.peerRelay
    }

    func relayRoles(of other: Int, for index: Int) -> PeerRelayRoles {
        var roles: PeerRelayRoles = officials[other] == nil ? .canBeRelayed : []
        if peerRelays.contains(other) { roles.insert(.relaysForUs) }
        if peerRelays.contains(index) { roles.insert(.mayUseOurs) }
        return roles
    }

    func allocate(_ clients: [DiscoKey], _ generation: UInt32, for peer: Int, by index: Int) {
        let node = nodes[index]
        // A refusal is not answered: whoever asked goes on without.
        guard
            let offer = try? node.peerRelay?.server.allocate(
                clients: clients, requester: nodes[peer].discoKey.publicKey, at: now)
        else { return }
        node.paths.sendRelayAllocation(offer, generation: generation, to: peer)
    }

    /// Whether a datagram was for a node's relay.
    func relayPayload(
        _ payload: [UInt8], to local: Endpoint, on host: SimulatedNetwork.HostID,
        from source: Endpoint
    ) -> Bool {
        guard local.port == PeerRelaying.port, let index = node(on: host),
            let relay = nodes[index].peerRelay
        else { return false }
        switch unsafe relay.server.handle(payload.span.bytes, from: source, at: now) {
        case .forward(let destination):
            network.send(payload, from: host, port: local.port, to: destination)
        case .reply(let answer): network.send(answer, from: host, port: local.port, to: source)
        case .bound, .drop: break
        }
        setTimer(of: index)
        return true
    }

    func receiveGeneve(
        _ payload: [UInt8], _ header: GeneveHeader, from source: PacketSource, on index: Int
    ) {
        guard case .direct(let server) = source else { return }
        let node = nodes[index]
        switch header.content {
        case .disco:
            unsafe node.paths.handleGeneve(payload.span.bytes, header, from: server, at: now)
        case .wireGuard:
            guard let path = node.paths.relayedSource(header, from: server) else { return }
            receiveData(
                Array(payload.dropFirst(GeneveHeader.byteCount)), from: .direct(path), on: index)
        }
    }
}
