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

/// An ICMP echo request of ours that waits for its answer.
struct TunnelPing {
    var identifier: UInt16
    var sequence: UInt16
    var sentAt: MonotonicInstant
    var deadline: MonotonicInstant
    var answer: @Sendable (PingOutcome) -> Void
}

// Answers to people.
extension PacketLoop {
    static var pingTimeout: Nanoseconds { .seconds(5) }

    mutating func serve(_ request: DataPlane.Request) {
        switch request {
        case .snapshot(let answer): answer(makeSnapshot())
        case .uapi(let request, let answer): answer(serve(request))
        case .netcheck(let answer):
            guard netchecks.count < Self.pingsMax else { return answer(nil) }
            netchecks.append(answer)
            netReport.startThorough(at: now)
        case .ping(let key, let address, let isThroughTunnel, let answer):
            guard let peer = wireGuard.peer(withKey: key) else { return answer(.unknownPeer) }
            guard pings.count + tunnelPings.count < Self.pingsMax else { return answer(.tooMany) }
            let id = nextPingID
            nextPingID += 1
            if isThroughTunnel || peers[peer.number]?.desired.isWireGuardOnly == true {
                startTunnelPing(id, peer, address, answer)
            } else {
                pings[id] = answer
                paths.startPing(id: id, peer: peer.number, scope: .current, at: now)
            }
        }
    }

    private mutating func startTunnelPing(
        _ id: UInt64, _ peer: PeerIndex, _ address: IPAddress,
        _ answer: @escaping @Sendable (PingOutcome) -> Void
    ) {
        let own = ownAddresses.first { $0.address.isIPv4 == address.isIPv4 }
        guard let own else { return answer(.unknownPeer) }
        // Identifiers above 0x8000 keep clear of most programs' process numbers.
        let ping = TunnelPing(
            identifier: 0x8000 | UInt16(truncatingIfNeeded: id >> 16),
            sequence: UInt16(truncatingIfNeeded: id), sentAt: now,
            deadline: now + Self.pingTimeout, answer: answer)
        tunnelPings.append(ping)
        sendInner(
            PacketBuilder.echo(
                from: own.address, to: address, identifier: ping.identifier,
                sequence: ping.sequence),
            to: peer)
    }

    /// Returns whether the packet answers a ping of ours.
    mutating func takeEchoReply(_ bytes: RawSpan, _ packet: ParsedPacket) -> Bool {
        let message = bytes.extracting(packet.transportOffset..<packet.byteCount)
        guard message.byteCount >= 8 else { return false }
        let identifier: UInt16 = message.bigEndian(at: 4)
        let sequence: UInt16 = message.bigEndian(at: 6)
        let position = tunnelPings.firstIndex {
            $0.identifier == identifier && $0.sequence == sequence
        }
        guard let position else { return false }
        let ping = tunnelPings.remove(at: position)
        ping.answer(.answered(.tunnel, roundTrip: now - ping.sentAt))
        return true
    }

    mutating func expireTunnelPings() {
        while let ping = tunnelPings.first, ping.deadline <= now {
            tunnelPings.removeFirst()
            ping.answer(.timedOut)
        }
    }

    /// Nobody may be left waiting when the thread ends.
    mutating func answerEverything() {
        for answer in pings.values { answer(.timedOut) }
        for ping in tunnelPings { ping.answer(.timedOut) }
        for answer in netchecks { answer(nil) }
        pings = [:]
        tunnelPings = []
        netchecks = []
        for request in mailbox.take().requests {
            switch request {
            case .snapshot(let answer): answer(DataPlaneSnapshot(takenAt: now))
            case .uapi(_, let answer): answer(UAPI.response(errno: UAPI.Errno.io))
            case .netcheck(let answer): answer(nil)
            case .ping(_, _, _, let answer): answer(.timedOut)
            }
        }
    }

    private func makeSnapshot() -> DataPlaneSnapshot {
        var snapshot = DataPlaneSnapshot(takenAt: now)
        snapshot.listenPort = ipv4Port ?? ipv6Port ?? 0
        snapshot.publicKey = wireGuard.publicKey
        for number in peers.entries.indices {
            guard let entry = peers[number],
                let status = wireGuard.status(of: PeerIndex(number: number))
            else { continue }
            var path =
                paths.status(of: number, at: now)
                ?? PathStatus(nodeKey: entry.desired.nodeKey, discoKey: .zero)
            if entry.desired.isWireGuardOnly { path.currentEndpoint = entry.plainEndpoint }
            snapshot.peers[entry.desired.nodeKey] = DataPlaneSnapshot.Peer(
                path: path, receivedBytes: status.receivedBytes, sentBytes: status.sentBytes,
                lastHandshake: status.lastHandshake, allowedIPs: entry.desired.allowedIPs)
        }
        snapshot.counters = counterList()
        snapshot.offloads = offloadList()
        return snapshot
    }

    /// What the kernel does for us, by name.
    func offloadList() -> [(name: String, value: String)] {
        func text(_ kinds: Coalescer.Kinds?) -> String {
            switch kinds {
            case nil: "no interface"
            case .some([.tcp, .udp]): "TCP and UDP"
            case .some(.tcp): "TCP"
            case .some(.udp): "UDP"
            default: "none"
            }
        }
        func text(_ isThere: Bool, _ isOn: Bool) -> String {
            isThere ? (isOn ? "yes" : "no") : "no socket"
        }
        let (v4, v6) = (ipv4Port != nil, ipv6Port != nil)
        return [
            ("tun-super-packets-from-host", text(tunOffloads?.receives)),
            ("tun-super-packets-to-host", text(tunOffloads?.sends)),
            ("udp4-segmentation", text(v4, ipv4Offloads.segments)),
            ("udp4-joining", text(v4, ipv4Offloads.joins)),
            ("udp6-segmentation", text(v6, ipv6Offloads.segments)),
            ("udp6-joining", text(v6, ipv6Offloads.joins)),
        ]
    }

    private func counterList() -> [(name: String, value: Int64)] {
        var list: [(name: String, value: Int64)] = [
            ("tun-packets", counters.tunPackets), ("udp-datagrams", counters.udpDatagrams),
            ("relayed-packets", counters.relayedPackets), ("no-peer", counters.noPeer),
            ("no-path", counters.noPath),
            ("queue-full", counters.queueFull),
            ("bad-offload", counters.badOffload), ("bad-mark", counters.badMark),
            ("not-sent", counters.notSent + sideSockets.notSent),
            ("not-delivered", counters.notDelivered), ("too-big", counters.tooBig),
            ("unknown-datagrams", counters.unknownDatagrams),
            ("truncated-datagrams", counters.truncatedDatagrams),
            ("dropped-by-mailbox", counters.droppedByMailbox),
            ("filter-in-accepted", Int64(clamping: filter.inbound.accepted)),
            ("filter-in-dropped", Int64(clamping: filter.inbound.dropped)),
            ("filter-out-dropped", Int64(clamping: filter.outbound.dropped)),
        ]
        for reason in WireGuard.DropReason.allCases {
            list.append(("wireguard-\(reason)", Int64(clamping: wireGuard.dropCount(reason))))
        }
        let path = paths.counters
        list.append(("pings-sent", Int64(path.pingsSent)))
        list.append(("pongs-sent", Int64(path.pongsSent)))
        list.append(("call-me-maybes-sent", Int64(path.callMeMaybesSent)))
        list.append(("pings-received", Int64(path.pingsReceived)))
        list.append(("pongs-received", Int64(path.pongsReceived)))
        list.append(("call-me-maybes-received", Int64(path.callMeMaybesReceived)))
        for reason in PathDropReason.allCases {
            list.append(("disco-\(reason)", Int64(path.dropped[reason] ?? 0)))
        }
        return list + peerRelayCounters()
    }
}
