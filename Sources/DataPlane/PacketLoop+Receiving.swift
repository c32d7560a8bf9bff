import Disco
import IPPacket
import LinuxIO
import NetReport
import NetTypes
import NodeCore
import PacketFilter
import PathEngine
import Segmentation
import TunDevice
import UDPSocket
import WireGuard

// From the network to the host and to the engines.
extension PacketLoop {
    mutating func readIPv4(_ pools: inout PacketPools) throws(SystemError) {
        var budget = Self.byteBudget
        while budget > 0 {
            guard try ipv4?.receive(into: &pools.arrived) ?? 0 > 0 else { return }
            budget -= takeTrains(&pools)
        }
    }

    mutating func readIPv6(_ pools: inout PacketPools) throws(SystemError) {
        var budget = Self.byteBudget
        while budget > 0 {
            guard try ipv6?.receive(into: &pools.arrived) ?? 0 > 0 else { return }
            budget -= takeTrains(&pools)
        }
    }

    /// Serves what one call has brought; returns what it costs. If that was less than the buffer holds, no
    /// more waits, and the whole budget is spent.
    mutating func takeTrains(_ pools: inout PacketPools, by socket: LocalSocket = .main) -> Int {
        var cost = pools.arrived.trainCount < ReceiveBuffer.trainCapacity ? Self.byteBudget : 0
        for index in 0..<pools.arrived.trainCount {
            let train = pools.arrived.train(at: index)
            if train.isTruncated { counters.truncatedDatagrams += 1 }
            guard let source = inward(train.source), !source.isRelayedPath else { continue }
            pools.noteMoved(train.range.count, at: now)
            burst = Burst()
            var start = train.range.lowerBound
            while start < train.range.upperBound {
                let end = min(start + train.segmentByteCount, train.range.upperBound)
                counters.udpDatagrams += 1
                cost += max(end - start, Self.packetCost)
                takeDatagram(start..<end, of: &pools, from: source, mark: train.ecn, by: socket)
                start = end
            }
        }
        deliver(&pools.toHost, of: pools.arrived)
        return cost
    }

    /// Adds an inner packet to what goes to the host, or nothing.
    private mutating func takeDatagram(
        _ range: Range<Int>, of pools: inout PacketPools, from endpoint: Endpoint, mark: UInt8,
        by socket: LocalSocket
    ) {
        let source = PacketSource.direct(endpoint)
        var memory = pools.arrived.mutableBytes
        var datagram = memory._mutatingExtracting(range)
        switch classify(datagram.bytes) {
        case .wireGuard:
            let result = wireGuard.receive(datagram: &datagram, from: source, at: now)
            guard let inner = take(result, from: source, datagram: datagram.bytes) else { return }
            if burst.accepted == nil { fitToPath(&datagram, result) }
            if mark != 0 {
                var packet = datagram._mutatingExtracting(inner)
                guard CongestionMark.carry(mark, into: &packet) else {
                    counters.badMark += 1
                    return
                }
            }
            let start = range.lowerBound + inner.lowerBound
            add(start..<start + inner.count, of: pools.arrived, to: &pools.toHost)
        case .disco: paths.handleDisco(datagram.bytes, from: source, by: socket, at: now)
        case .stun where !socket.isMain: paths.handleSTUN(datagram.bytes, by: socket, at: now)
        case .stun: netReport.handleResponse(datagram.bytes, at: now)
        case .geneve(let header):
            guard let path = takeGeneve(datagram.bytes, header, from: endpoint) else { return }
            takeDatagram(
                range.dropFirst(GeneveHeader.byteCount), of: &pools, from: path, mark: mark,
                by: socket)
        case .unknown:
            // A single byte is a filler that some peers send behind a burst.
            if range.count > 1 { counters.unknownDatagrams += 1 }
        }
    }

    /// Packets that came by relay.
    mutating func takeRelayed(_ arrived: inout RelayBatch, _ pools: inout PacketPools) {
        netReport.noteRelayHeard(region: arrived.region, at: now)
        counters.relayedPackets += Int64(arrived.packets.count)
        pools.noteMoved(arrived.bytes.count, at: now)
        pools.arrived.removeAll()
        burst = Burst()
        for packet in arrived.packets {
            let source = PacketSource.relay(region: arrived.region, node: packet.source)
            var span = arrived.bytes.mutableSpan
            var memory = unsafe span.mutableBytes
            var datagram = memory._mutatingExtracting(packet.range)
            takeRelayed(&datagram, source, &pools)
        }
        deliver(&pools.toHost, of: pools.arrived)
        pools.arrived.removeAll()
    }

    private mutating func takeRelayed(
        _ datagram: inout MutableRawSpan, _ source: PacketSource, _ pools: inout PacketPools
    ) {
        switch classify(datagram.bytes) {
        case .wireGuard:
            let result = wireGuard.receive(datagram: &datagram, from: source, at: now)
            guard let inner = take(result, from: source, datagram: datagram.bytes) else { return }
            if burst.accepted == nil { fitToPath(&datagram, result) }
            add(datagram.bytes.extracting(inner), to: &pools)
        case .disco: paths.handleDisco(datagram.bytes, from: source, at: now)
        case .stun, .geneve, .unknown: counters.unknownDatagrams += 1
        }
    }

    /// Copies a packet to where the others for the host lie.
    private mutating func add(_ packet: RawSpan, to pools: inout PacketPools) {
        var place = pools.arrived.append(packet)
        if place == nil {
            deliver(&pools.toHost, of: pools.arrived)
            pools.arrived.removeAll()
            place = pools.arrived.append(packet)
        }
        guard let place else {
            counters.truncatedDatagrams += 1
            return
        }
        add(place, of: pools.arrived, to: &pools.toHost)
    }

    private mutating func add(
        _ range: Range<Int>, of arrived: borrowing ReceiveBuffer, to toHost: inout Coalescer
    ) {
        toHost.add(range, of: arrived.bytes)
        if toHost.isFull { deliver(&toHost, of: arrived) }
    }

    /// Reports what a WireGuard message proves; returns where in the datagram a packet for the host
    /// stands.
    private mutating func take(
        _ result: ReceiveResult, from source: PacketSource, datagram: RawSpan
    ) -> Range<Int>? {
        switch result {
        case .packet(let peer, let range):
            if burst.provenPeer != peer.number {
                noteAuthentic(peer, from: source, byteCount: datagram.byteCount)
                // By relay each byte counts.
                if case .direct = source { burst.provenPeer = peer.number }
            }
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
        if peers.facts(peer.number)?.isWireGuardOnly == true {
            if case .direct(let endpoint) = source,
                peers[peer.number]?.plainEndpoint != endpoint
            {
                peers[peer.number]?.plainEndpoint = endpoint
            }
            return
        }
        paths.noteReceived(
            from: peer.number, source: source, byteCount: byteCount, at: now)
    }

    /// What is for the node itself is dealt with here; the rest is up to the filter.
    private mutating func isForHost(_ bytes: RawSpan, from peer: PeerIndex) -> Bool {
        let fingerprint = FlowFingerprint(bytes)
        if let fingerprint, burst.accepted == fingerprint {
            filter.acceptInboundAgain()
            return true
        }
        burst.accepted = nil
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
        if peers.facts(peer.number)?.isUnfiltered == true { return true }
        switch filter.checkInbound(packet) {
        case .accept: burst.accepted = fingerprint
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

    /// Hands what is for the host to it.
    private mutating func deliver(
        _ toHost: inout Coalescer, of arrived: borrowing ReceiveBuffer
    ) {
        if let outcome = tun?.send(toHost, of: arrived.bytes) {
            counters.notDelivered += Int64(outcome.refused)
        }
        toHost.removeAll()
    }
}
