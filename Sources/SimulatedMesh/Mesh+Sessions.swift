import NetTypes
import PathEngine
import SimulatedNetwork

extension Mesh {
    func isEstablished(_ peer: Int, on index: Int) -> Bool {
        nodes[index].sessions[peer]?.phase == .established
    }

    /// Keeps a packet until the session stands, and begins it.
    func hold(_ peer: Int, on index: Int, isReply: Bool) {
        var session = nodes[index].sessions[peer] ?? Session()
        if session.waiting.count < Session.waitingMax { session.waiting.append(isReply) }
        let isNew = session.phase == .none
        if isNew { session.phase = .initiating }
        nodes[index].sessions[peer] = session
        if isNew { initiate(peer, on: index) }
    }

    private func initiate(_ peer: Int, on index: Int) {
        let node = nodes[index]
        let jitter = Int64(node.random.below(333_000_000))
        node.retries[peer] = now + Session.retryInterval + Nanoseconds(count: jitter)
        let message = TunnelMessage(.initiation, from: index)
        send(
            message.encoded(byteCount: TunnelMessage.initiationByteCount),
            by: node.paths.route(for: peer, at: now), from: index, to: peer)
    }

    func retryHandshakes(of index: Int) {
        for (peer, due) in nodes[index].retries.sorted(by: { $0.key < $1.key }) where due <= now {
            initiate(peer, on: index)
        }
    }

    func receiveHandshake(_ message: TunnelMessage, from source: PacketSource, on index: Int) {
        let peer = message.sender
        switch message.kind {
        case .initiation:
            // Of two that cross, the one of the lower index counts.
            if nodes[index].sessions[peer]?.phase == .initiating, index < peer { return }
            nodes[index].sessions[peer, default: Session()].phase = .initiating
            nodes[index].retries[peer] = nil
            answer(TunnelMessage(.response, from: index), to: source, peer, from: index)
        case .response:
            guard nodes[index].sessions[peer]?.phase == .initiating else { return }
            establish(peer, on: index)
        case .data: break
        }
    }

    private func answer(
        _ message: TunnelMessage, to source: PacketSource, _ peer: Int, from index: Int
    ) {
        let bytes = message.encoded(byteCount: TunnelMessage.responseByteCount)
        switch source {
        case .direct(let endpoint):
            send(bytes, by: .init(direct: endpoint), from: index, to: peer)
        case .relay(let region, _):
            send(bytes, by: .init(relayRegion: region), from: index, to: peer)
        }
    }

    /// The first packet of the initiator tells the responder that the keys are right.
    func noteConfirmed(_ peer: Int, on index: Int) {
        guard handshakes, !isEstablished(peer, on: index) else { return }
        establish(peer, on: index)
    }

    private func establish(_ peer: Int, on index: Int) {
        let waiting = nodes[index].sessions[peer]?.waiting ?? []
        nodes[index].sessions[peer] = Session(phase: .established)
        nodes[index].retries[peer] = nil
        for isReply in waiting { sendNow(from: index, to: peer, isReply: isReply) }
    }
}
