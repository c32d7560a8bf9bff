import CryptoPrimitives
import Disco
package import NetTypes
package import PathEngine
import SimulatedNetwork

/// The path finding of the official client, as far as it concerns others (data-protocol reference
/// §3.5–3.8): pings each candidate at most every five seconds and once, never pings back, answers a
/// CallMeMaybe by pings alone, believes one pong for 6.5 seconds. It talks to one peer.
package final class OfficialPeer {
    private let index: Int
    private let peer: Int
    private let own: PrivateKey<DiscoKind>
    private let box: DiscoBox
    private var random: SeededRandom
    private var candidates: [(endpoint: Endpoint, lastPing: MonotonicInstant?)] = []
    private var pings: [PingID: Endpoint] = [:]
    package private(set) var best: Endpoint?
    private var trustedUntil: MonotonicInstant?
    private var lastSentAt: MonotonicInstant?
    private var heartbeatAt: MonotonicInstant?

    /// Node `index` of the mesh behaves so towards `peer`.
    package init(_ index: Int, peer: Int, in mesh: Mesh) {
        self.index = index
        self.peer = peer
        own = mesh.nodes[index].discoKey
        box = DiscoBox(own: own, peer: mesh.nodes[peer].discoKey.publicKey)!
        random = SeededRandom(seed: mesh.seed ^ 0x0FF1)
    }

    package func isTrusted(at now: MonotonicInstant) -> Bool {
        best != nil && trustedUntil.map { now <= $0 } ?? false
    }

    package func learn(_ endpoints: [Endpoint]) {
        for endpoint in endpoints where !candidates.contains(where: { $0.endpoint == endpoint }) {
            candidates.append((endpoint, nil))
        }
    }

    package var nextDeadline: MonotonicInstant {
        heartbeatAt ?? MonotonicInstant(nanoseconds: UInt64(Int64.max))
    }

    package func handleTimeout(_ mesh: Mesh) {
        guard let due = heartbeatAt, due <= mesh.now else { return }
        guard let lastSentAt, mesh.now - lastSentAt < .seconds(45) else {
            heartbeatAt = nil
            return
        }
        heartbeatAt = mesh.now + .seconds(3)
        if let best { ping(best, mesh) }
        if !isTrusted(at: mesh.now) { discover(mesh) }
    }

    package func route(to peer: Int, _ mesh: Mesh) -> PathRoute {
        lastSentAt = mesh.now
        if heartbeatAt == nil { heartbeatAt = mesh.now + .seconds(3) }
        if isTrusted(at: mesh.now) { return PathRoute(direct: best, relayRegion: nil) }
        discover(mesh)
        return PathRoute(direct: best, relayRegion: 1)
    }

    private func discover(_ mesh: Mesh) {
        var hasPinged = false
        for index in candidates.indices {
            if let last = candidates[index].lastPing, mesh.now - last < .seconds(5) { continue }
            candidates[index].lastPing = mesh.now
            ping(candidates[index].endpoint, mesh)
            hasPinged = true
        }
        if hasPinged {
            send(.callMeMaybe(mesh.nodes[index].announced), .relay(region: 1, to: key(mesh)), mesh)
        }
    }

    package func receive(_ payload: [UInt8], from source: PacketSource, _ mesh: Mesh) {
        let span = unsafe payload.span.bytes
        guard classify(span) == .disco else {
            if classify(span) == .wireGuard {
                mesh.receiveData(payload, from: source, on: index)
            }
            return
        }
        // What cannot be read is dropped, as by the real client.
        guard let envelope = DiscoEnvelope(span), let plaintext = box.open(envelope),
            let message = unsafe try? DiscoMessage(plaintext.span.bytes)
        else { return }
        switch (message, source) {
        case (.ping(let id, _), .direct(let endpoint)):
            send(.pong(id, source: endpoint), .udp(endpoint), mesh)
            learn([endpoint])
        case (.pong(let id, _), .direct):
            guard let endpoint = pings.removeValue(forKey: id) else { return }
            if !isTrusted(at: mesh.now) || endpoint == best {
                best = endpoint
                trustedUntil = mesh.now + .milliseconds(6_500)
            }
        case (.callMeMaybe(let endpoints), .relay):
            learn(endpoints)
            for index in candidates.indices {
                candidates[index].lastPing = mesh.now
                ping(candidates[index].endpoint, mesh)
            }
        default: break
        }
    }

    private func ping(_ endpoint: Endpoint, _ mesh: Mesh) {
        let id = PingID(random: &random)
        pings[id] = endpoint
        send(.ping(id, nodeKey: mesh.nodes[index].nodeKey), .udp(endpoint), mesh)
    }

    private func send(_ message: DiscoMessage, _ destination: PathDestination, _ mesh: Mesh) {
        let plaintext = message.encoded()
        let bytes = unsafe box.seal(plaintext.span.bytes, random: &random)
        mesh.send(PathTransmit(destination: destination, bytes: bytes), from: index)
    }

    private func key(_ mesh: Mesh) -> NodeKey { mesh.nodes[peer].nodeKey }
}
