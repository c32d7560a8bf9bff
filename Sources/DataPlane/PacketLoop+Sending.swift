import IPPacket
import LinuxIO
import NetReport
import NetTypes
import NodeCore
import PacketFilter
import PathEngine
import TunDevice
import UDPSocket
import WireGuard

// From the host and from the engines to the network.
extension PacketLoop {
    /// Packets of this host: filter, peer by destination, seal in place, path, socket.
    mutating func readTun(_ batch: inout PacketBatch) throws(SystemError) {
        for _ in 0..<Self.batchesMax {
            let count = try tun?.receive(into: &batch) ?? 0
            guard count > 0 else { return }
            counters.tunPackets += Int64(count)
            for index in 0..<count { seal(&batch, at: index) }
            send(batch)
            batch.removeAll()
            if count < PacketBatch.capacity { return }
        }
    }

    private mutating func seal(_ batch: inout PacketBatch, at index: Int) {
        guard let packet = try? ParsedPacket(batch.payload(at: index)),
            filter.checkOutbound(packet) == .accept
        else {
            // The filter counts what it drops, and what is no IP packet is nobody's loss.
            batch.drop(at: index)
            return
        }
        guard let peer = wireGuard.peer(forDestination: packet.destination) else {
            counters.noPeer += 1
            batch.drop(at: index)
            return
        }
        fitToPath(&batch, at: index, packet, to: peer)
        switch sealPacket(&batch, at: index, by: &wireGuard, for: peer, at: now) {
        case .sealed(let message):
            batch.setPayload(message, at: index)
            let way = way(to: peer.number, byteCount: message.count)
            sendByRelay(batch.payload(at: index), way)
            let direct = sendAside(batch.payload(at: index), to: way.direct)
            batch.setEndpoint(outward(direct), at: index)
        case .staged:
            // The search for a path need not wait for the handshake.
            _ = way(to: peer.number, byteCount: 0)
            batch.drop(at: index)
        case .dropped: batch.drop(at: index)
        }
    }

    /// Where a message goes: to an endpoint, by relay, or both.
    private struct Way {
        var direct: Endpoint?
        var relay: (region: Int, node: NodeKey)?

        var isNone: Bool { direct == nil && relay == nil }
    }

    private mutating func way(to number: Int, byteCount: Int) -> Way {
        guard let entry = peers[number] else { return Way() }
        if entry.desired.isWireGuardOnly {
            if entry.plainEndpoint == nil { counters.noPath += 1 }
            return Way(direct: entry.plainEndpoint)
        }
        let route = paths.route(for: number, byteCount: byteCount, at: now)
        if route.isUnreachable { counters.noPath += 1 }
        return Way(
            direct: route.direct,
            relay: route.relayRegion.map { ($0, entry.desired.nodeKey) })
    }

    private func sendByRelay(_ message: RawSpan, _ way: Way) {
        if let relay = way.relay { relaySender?(relay.region, relay.node, message) }
    }

    /// Hands the batch to the sockets.
    mutating func send(_ batch: borrowing PacketBatch) {
        if let outcome = ipv4?.send(batch) { note(outcome, of: batch.count) }
        if let outcome = ipv6?.send(batch) { note(outcome, of: batch.count) }
    }

    mutating func flushScratch() {
        guard scratch.count > 0 else { return }
        let outcome4 = ipv4?.send(scratch)
        let outcome6 = ipv6?.send(scratch)
        if let outcome4 { note(outcome4, of: scratch.count) }
        if let outcome6 { note(outcome6, of: scratch.count) }
        scratch.removeAll()
    }

    private mutating func note(_ outcome: UDPSocket.SendOutcome, of count: Int) {
        // A full socket buffer loses the rest, as a full queue of a router would.
        counters.notSent += Int64(outcome.refused + count - outcome.next)
    }

    // MARK: Of the engines

    /// Handshakes, keepalives and packets that waited for a session.
    mutating func sendWireGuard() {
        while true {
            if scratch.isFull { flushScratch() }
            let index = scratch.appendSlot()
            let polled = pollTransmit(of: &wireGuard, into: &scratch, at: index, now: now)
            guard let transmit = polled else {
                scratch.removeLast()
                break
            }
            scratch.setPayload(transmit.range, at: index)
            let way = way(of: transmit.destination, byteCount: transmit.range.count)
            sendByRelay(scratch.payload(at: index), way)
            let direct = sendAside(scratch.payload(at: index), to: way.direct)
            scratch.setEndpoint(outward(direct), at: index)
            if way.isNone, !transmit.isData, case .peer(let peer) = transmit.destination {
                wireGuard.noteNotSent(to: peer)
            }
        }
        flushScratch()
    }

    private mutating func way(of destination: Transmit.Destination, byteCount: Int) -> Way {
        switch destination {
        case .peer(let peer): way(to: peer.number, byteCount: byteCount)
        case .reply(_, .direct(let endpoint)), .source(.direct(let endpoint)):
            Way(direct: endpoint)
        case .reply(_, .relay(let region, let node)), .source(.relay(let region, let node)):
            Way(relay: (region, node))
        }
    }

    mutating func drainPaths() {
        while true {
            while let transmit = paths.pollTransmit() {
                switch transmit.destination {
                case .udp(let endpoint) where !transmit.socket.isMain:
                    sendAside(transmit.bytes, to: endpoint, by: transmit.socket)
                case .udp(let endpoint): send(transmit.bytes, to: endpoint)
                case .relay(let region, let node):
                    unsafe relaySender?(region, node, transmit.bytes.span.bytes)
                }
            }
            guard let event = paths.pollEvent() else { break }
            handle(event)
        }
        closeSideSockets()
        flushScratch()
    }

    mutating func drainNetReport() {
        while true {
            while let transmit = netReport.pollTransmit() {
                if let probe = transmit.probeSocket {
                    send(transmit.bytes, to: transmit.destination, byProbe: probe)
                } else {
                    send(transmit.bytes, to: transmit.destination)
                }
            }
            guard let event = netReport.pollEvent() else { break }
            handle(event)
        }
        flushScratch()
    }

    private mutating func send(_ bytes: [UInt8], to endpoint: Endpoint) {
        if scratch.isFull { flushScratch() }
        unsafe scratch.append(bytes.span.bytes, endpoint: outward(endpoint))
    }

    /// Seals an IP packet of our own making for the peer.
    mutating func sendInner(_ packet: [UInt8], to peer: PeerIndex) {
        guard let index = unsafe scratch.append(packet.span.bytes) else { return }
        let result = sealPacket(&scratch, at: index, by: &wireGuard, for: peer, at: now)
        if case .sealed(let message) = result {
            scratch.setPayload(message, at: index)
            let way = way(to: peer.number, byteCount: message.count)
            sendByRelay(scratch.payload(at: index), way)
            let direct = sendAside(scratch.payload(at: index), to: way.direct)
            scratch.setEndpoint(outward(direct), at: index)
        } else {
            scratch.drop(at: index)
        }
        flushScratch()
    }
}

// Free functions because they touch two parts of the loop at once, which a method cannot.

private func sealPacket(
    _ batch: inout PacketBatch, at index: Int, by wireGuard: inout WireGuardDevice,
    for peer: PeerIndex, at now: MonotonicInstant
) -> SealResult {
    let range = batch.payloadRange(at: index)
    var slot = batch.slot(at: index)
    return wireGuard.seal(slot: &slot, payload: range, for: peer, at: now)
}

private func pollTransmit(
    of wireGuard: inout WireGuardDevice, into batch: inout PacketBatch, at index: Int,
    now: MonotonicInstant
) -> Transmit? {
    var slot = batch.slot(at: index)
    return wireGuard.pollTransmit(into: &slot, at: 64, now: now)
}
