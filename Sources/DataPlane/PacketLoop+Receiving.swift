import Disco
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

// From the network to the host and to the engines.
extension PacketLoop {
    mutating func readIPv4(_ batch: inout PacketBatch) throws(SystemError) {
        for _ in 0..<Self.batchesMax {
            let count = try ipv4?.receive(into: &batch) ?? 0
            guard takeDatagrams(&batch) else { return }
            if count < PacketBatch.capacity { return }
        }
    }

    mutating func readIPv6(_ batch: inout PacketBatch) throws(SystemError) {
        for _ in 0..<Self.batchesMax {
            let count = try ipv6?.receive(into: &batch) ?? 0
            guard takeDatagrams(&batch) else { return }
            if count < PacketBatch.capacity { return }
        }
    }

    /// Serves a batch; returns whether there was anything in it.
    mutating func takeDatagrams(
        _ batch: inout PacketBatch, by socket: LocalSocket = .main
    ) -> Bool {
        guard batch.count > 0 else { return false }
        counters.udpDatagrams += Int64(batch.count)
        counters.truncatedDatagrams += Int64(batch.truncatedCount)
        for index in 0..<batch.count { takeDatagram(&batch, at: index, by: socket) }
        deliver(batch)
        batch.removeAll()
        return true
    }

    /// Leaves the inner packet for TUN in the slot, or nothing.
    private mutating func takeDatagram(
        _ batch: inout PacketBatch, at index: Int, by socket: LocalSocket
    ) {
        guard let source = inward(batch.endpoint(at: index)) else { return batch.drop(at: index) }
        switch classify(batch.payload(at: index)) {
        case .wireGuard:
            let range = batch.payloadRange(at: index)
            var slot = batch.slot(at: index)
            var datagram = slot._mutatingExtracting(range)
            let result = wireGuard.receive(datagram: &datagram, from: .direct(source), at: now)
            let inner = take(result, from: .direct(source), datagram: datagram.bytes)
            guard let inner else { return batch.drop(at: index) }
            fitToPath(&datagram, result)
            let start = range.lowerBound + inner.lowerBound
            batch.setPayload(start..<start + inner.count, at: index)
        case .disco:
            paths.handleDisco(
                batch.payload(at: index), from: .direct(source), by: socket, at: now)
            batch.drop(at: index)
        case .stun where !socket.isMain:
            paths.handleSTUN(batch.payload(at: index), by: socket, at: now)
            batch.drop(at: index)
        case .stun:
            netReport.handleResponse(batch.payload(at: index), at: now)
            batch.drop(at: index)
        case .geneve, .unknown:
            // A single byte is a filler that some peers send behind a burst.
            if batch.payload(at: index).byteCount > 1 { counters.unknownDatagrams += 1 }
            batch.drop(at: index)
        }
    }

    /// Packets that came by relay; `batch` collects what they bring for the host.
    mutating func takeRelayed(_ arrived: inout RelayBatch, _ batch: inout PacketBatch) {
        netReport.noteRelayHeard(region: arrived.region, at: now)
        counters.relayedPackets += Int64(arrived.packets.count)
        for packet in arrived.packets {
            if batch.isFull {
                deliver(batch)
                batch.removeAll()
            }
            let source = PacketSource.relay(region: arrived.region, node: packet.source)
            var span = arrived.bytes.mutableSpan
            var memory = unsafe span.mutableBytes
            var datagram = memory._mutatingExtracting(packet.range)
            takeRelayed(&datagram, source, &batch)
        }
        deliver(batch)
        batch.removeAll()
    }

    private mutating func takeRelayed(
        _ datagram: inout MutableRawSpan, _ source: PacketSource, _ batch: inout PacketBatch
    ) {
        switch classify(datagram.bytes) {
        case .wireGuard:
            let result = wireGuard.receive(datagram: &datagram, from: source, at: now)
            guard let inner = take(result, from: source, datagram: datagram.bytes) else { return }
            fitToPath(&datagram, result)
            if batch.append(datagram.bytes.extracting(inner)) == nil {
                counters.truncatedDatagrams += 1
            }
        case .disco: paths.handleDisco(datagram.bytes, from: source, at: now)
        case .stun, .geneve, .unknown: counters.unknownDatagrams += 1
        }
    }

    /// Reports what a WireGuard message proves; returns where in the datagram a packet for the host
    /// stands.
    private mutating func take(
        _ result: ReceiveResult, from source: PacketSource, datagram: RawSpan
    ) -> Range<Int>? {
        switch result {
        case .packet(let peer, let range):
            noteAuthentic(peer, from: source, byteCount: datagram.byteCount)
            return isForHost(datagram.extracting(range), from: peer) ? range : nil
        case .keepalive(let peer):
            noteAuthentic(peer, from: source)
            return nil
        case .dropped(.unknownIndex):
            noteUnknownSession(source)
            return nil
        case .dropped(.replayedCounter):
            // The relay vouches for the sender; the most it could gain by lying is a copy of what
            // we send.
            if case .relay(_, let node) = source, let number = paths.index(of: node) {
                paths.noteRelayedCopy(
                    from: number, byteCount: datagram.byteCount, at: now)
            }
            return nil
        case .handled, .dropped: return nil
        }
    }

    /// Somebody seals for a session that we do not have: most likely a peer that has not noticed that
    /// this node started anew. A handshake of ours tells it at once; by itself it would go on for 15
    /// seconds.
    private mutating func noteUnknownSession(_ source: PacketSource) {
        guard now >= nextUnknownSessionAt else { return }
        nextUnknownSessionAt = now + .milliseconds(100)
        guard let number = paths.peer(at: source), peers[number] != nil else { return }
        wireGuard.initiateHandshake(with: PeerIndex(number: number), at: now)
    }

    mutating func noteAuthentic(
        _ peer: PeerIndex, from source: PacketSource, byteCount: Int = 0
    ) {
        if let entry = peers[peer.number], entry.desired.isWireGuardOnly {
            if case .direct(let endpoint) = source, entry.plainEndpoint != endpoint {
                peers[peer.number]?.plainEndpoint = endpoint
            }
            return
        }
        paths.noteReceived(
            from: peer.number, source: source, byteCount: byteCount, at: now)
    }

    /// What is for the node itself is dealt with here; the rest is up to the filter.
    private mutating func isForHost(_ bytes: RawSpan, from peer: PeerIndex) -> Bool {
        guard let packet = try? ParsedPacket(bytes) else {
            // Counted by the filter as malformed.
            return filter.checkInbound(bytes) == .accept
        }
        if packet.protocol == .tsmp {
            takeTSMP(bytes, packet, from: peer)
            return false
        }
        if packet.icmp == .echoReply, !tunnelPings.isEmpty, takeEchoReply(bytes, packet) {
            return false
        }
        if peers[peer.number]?.isUnfiltered == true { return true }
        switch filter.checkInbound(packet) {
        case .accept: break
        case .drop(let reason):
            if let message = filter.rejection(of: packet, reason: reason) {
                sendInner(
                    PacketBuilder.tsmp(message, from: packet.destination, to: packet.source),
                    to: peer)
            }
            return false
        }
        if !hasTun, packet.icmp == .echoRequest { answerEcho(bytes, packet, from: peer) }
        return true
    }

    private mutating func takeTSMP(_ bytes: RawSpan, _ packet: ParsedPacket, from peer: PeerIndex) {
        let payload = bytes.extracting(packet.transportOffset..<packet.byteCount)
        guard case .ping(let token) = TSMPMessage(parsing: payload) else { return }
        sendInner(
            PacketBuilder.tsmp(
                .pong(token: token, peerAPIPort: 0), from: packet.destination, to: packet.source),
            to: peer)
    }

    /// Without a TUN interface there is no kernel to answer for us.
    private mutating func answerEcho(
        _ bytes: RawSpan, _ packet: ParsedPacket, from peer: PeerIndex
    ) {
        let message = bytes.extracting(packet.transportOffset..<packet.byteCount)
        guard message.byteCount >= 8, message.byteCount <= 1200 else { return }
        sendInner(
            PacketBuilder.echo(
                isReply: true, from: packet.destination, to: packet.source,
                identifier: message.bigEndian(at: 4), sequence: message.bigEndian(at: 6),
                payload: message.extracting(8..<message.byteCount).array),
            to: peer)
    }

    /// Writes what is left in the batch to the host.
    private mutating func deliver(_ batch: borrowing PacketBatch) {
        if let outcome = tun?.send(batch) { counters.notDelivered += Int64(outcome.refused) }
    }
}
