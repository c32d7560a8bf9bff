import FairQueue
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

// From the host and from the engines to the network.
extension PacketLoop {
    /// Packets of this host, which may be super-packets: fair order, filter, peer by destination, cut into
    /// segments, seal, path, socket.
    mutating func readTun(_ pools: inout PacketPools) throws(SystemError) {
        var budget = Self.byteBudget
        // The kernel's queue knows no flows and does not tell how long it is: it is kept empty.
        try takeInHostPackets(&pools)
        var nextLook = budget - Self.flushByteCount
        while budget > 0, let slot = pools.waiting.popNext() {
            let byteCount = pools.host.bytes(of: slot).byteCount
            budget -= max(byteCount, Self.packetCost)
            pools.noteMoved(byteCount, at: now)
            takeHostPacket(slot, of: pools.host, &pools.outgoing)
            pools.host.remove(slot)
            if pools.outgoing.byteCount >= Self.flushByteCount { flush(&pools.outgoing) }
            guard budget <= nextLook else { continue }
            nextLook = budget - Self.flushByteCount
            try takeInHostPackets(&pools)
        }
        flush(&pools.outgoing)
    }

    /// Reads what the kernel has for us. Where there is no more room, super-packets make it at the cost of
    /// the flow that has most in the queue: TCP sends less then. A flood of small packets that nobody
    /// else suffers from stays where it is, for the kernel drops what is too much at less than it costs
    /// to read it.
    private mutating func takeInHostPackets(_ pools: inout PacketPools) throws(SystemError) {
        for _ in 0..<Self.intakeMax {
            while !pools.host.hasLargeRoom || !pools.host.hasSmallRoom {
                let victim =
                    pools.host.hasLargeRoom
                    ? pools.waiting.popOfMostNumerous(at: now) : pools.waiting.popOfCostliest()
                guard let victim else { return }
                pools.host.remove(victim)
                counters.queueFull += 1
            }
            guard let slot = try tun?.receive(into: &pools.host) else { return }
            counters.tunPackets += 1
            let cost = max(pools.host.bytes(of: slot).byteCount, Self.packetCost)
            let flow = flowHash(pools.host.bytes(of: slot))
            pools.waiting.append(slot, cost: cost, flow: flow, at: now)
        }
    }

    private mutating func takeHostPacket(
        _ slot: Int, of host: borrowing HostPackets, _ outgoing: inout SendBuffer
    ) {
        let bytes = host.bytes(of: slot)
        // The filter counts what it drops, and what is no IP packet is nobody's loss.
        guard let packet = try? ParsedPacket(bytes), filter.checkOutbound(packet) == .accept else {
            return
        }
        guard let peer = wireGuard.peer(forDestination: packet.destination) else {
            counters.noPeer += 1
            return
        }
        // Why is for whoever looks at the kernel; there is nothing to be done.
        guard let splitter = try? Splitter(host.offload(of: slot), packet: bytes) else {
            counters.badOffload += 1
            return
        }
        let room =
            WireGuardDevice.headroom + splitter.segmentByteCountMax + WireGuardDevice.tailroom
        guard room <= SendBuffer.trainByteCountMax else {
            counters.notSent += 1
            return
        }
        let mark = CongestionMark.bits(of: bytes)
        let mtu = paths.innerMTU(of: peer.number)
        var way: Way?
        var target: SendBuffer.Target?
        for segment in 0..<splitter.segmentCount {
            if !outgoing.hasRoom(for: room) { flush(&outgoing) }
            var slot = outgoing.free
            let count = splitter.write(segment, of: bytes, to: &slot, at: WireGuardDevice.headroom)
            let payload = WireGuardDevice.headroom..<WireGuardDevice.headroom + count
            if let mtu, segment == 0 { fitToPath(&slot, payload, mtu: mtu) }
            switch wireGuard.seal(slot: &slot, payload: payload, for: peer, at: now) {
            case .sealed(let message):
                // The first is the longest: its way is that of all.
                let current =
                    way
                    ?? self.way(
                        to: peer.number, byteCount: message.count,
                        times: splitter.segmentCount - segment)
                way = current
                sendByRelay(slot.bytes.extracting(message), current)
                if let direct = current.direct, direct.isRelayedPath {
                    sendByPeerRelay(slot.bytes.extracting(message), to: direct, ecn: mark)
                    continue
                }
                if target == nil, let direct = current.direct, let endpoint = outward(direct) {
                    target = .init(endpoint, ecn: mark, socket: sideSocket(to: direct))
                }
                if let target { outgoing.append(byteCount: message.count, to: target) }
            case .staged:
                // The search for a path need not wait for the handshake.
                _ = self.way(to: peer.number, byteCount: 0)
            case .dropped: continue
            }
        }
    }

    /// Hands what was sealed to the sockets.
    private mutating func flush(_ outgoing: inout SendBuffer) {
        guard !outgoing.isEmpty else { return }
        if !sideSockets.isEmpty { sendAside(&outgoing) }
        if let outcome = ipv4?.send(outgoing, offloads: &ipv4Offloads) { note(outcome) }
        if let outcome = ipv6?.send(outgoing, offloads: &ipv6Offloads) { note(outcome) }
        outgoing.removeAll()
    }

    private mutating func note(_ outcome: UDPSocket.TrainOutcome) {
        // A full socket buffer loses the rest, as a full queue of a router would.
        counters.notSent += Int64(outcome.refused + outcome.left)
    }

    /// Where a message goes: to an endpoint, by relay, or both.
    private struct Way {
        var direct: Endpoint?
        var relay: (region: Int, node: NodeKey)?

        var isNone: Bool { direct == nil && relay == nil }
    }

    private mutating func way(to number: Int, byteCount: Int, times: Int = 1) -> Way {
        guard let facts = peers.facts(number) else { return Way() }
        if facts.isWireGuardOnly {
            let endpoint = peers[number]?.plainEndpoint
            if endpoint == nil { counters.noPath += 1 }
            return Way(direct: endpoint)
        }
        let route = paths.route(for: number, byteCount: byteCount, times: times, at: now)
        if route.isUnreachable { counters.noPath += Int64(times) }
        return Way(
            direct: route.direct,
            relay: route.relayRegion.map { ($0, facts.nodeKey) })
    }

    private func sendByRelay(_ message: RawSpan, _ way: Way) {
        if let relay = way.relay { relaySender?(relay.region, relay.node, message) }
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
