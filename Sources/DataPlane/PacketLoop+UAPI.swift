import CryptoPrimitives
import NetTypes
import NodeCore
import PathEngine
import WireGuard

/// A WireGuard peer that was set by hand.
struct PlainPeer {
    var desired: DesiredPeer
    var presharedKey: SecretBytes?
    var keepalive: Nanoseconds
}

// What `wg` asks and sets.
extension PacketLoop {
    mutating func serve(_ request: UAPI.Request) -> String {
        switch request {
        case .get: return UAPI.response(deviceStatus())
        case .set(let change):
            // Keys, ports and marks are the daemon's own business.
            guard change.privateKey == nil, change.listenPort == nil, change.firewallMark == nil,
                wireGuard.publicKey != nil
            else { return UAPI.response(errno: UAPI.Errno.invalid) }
            if change.replacesPeers { plainPeers.removeAll() }
            for peer in change.peers { apply(peer) }
            applyPeers()
            return UAPI.response(errno: UAPI.Errno.none)
        }
    }

    private mutating func apply(_ change: UAPI.PeerChange) {
        let old = plainPeers[change.publicKey]
        let existing = old.map {
            PeerConfiguration(
                publicKey: change.publicKey, presharedKey: $0.presharedKey,
                allowedIPs: $0.desired.allowedIPs, persistentKeepalive: $0.keepalive)
        }
        guard let new = change.applied(to: existing) else {
            plainPeers[change.publicKey] = nil
            return
        }
        // As in WireGuard, an address is taken from the peer that had it.
        let taken = Set(new.allowedIPs.map(\.masked))
        for key in plainPeers.keys where key != change.publicKey {
            plainPeers[key]?.desired.allowedIPs.removeAll { taken.contains($0.masked) }
        }
        plainPeers[change.publicKey] = PlainPeer(
            desired: .plain(
                new.publicKey, allowedIPs: new.allowedIPs,
                endpoints: change.endpoint.map { [$0] } ?? old?.desired.endpoints ?? []),
            presharedKey: new.presharedKey, keepalive: new.persistentKeepalive)
    }

    private func deviceStatus() -> UAPI.DeviceStatus {
        var list: [UAPI.PeerStatus] = []
        for number in peers.entries.indices {
            guard let entry = peers[number],
                let traffic = wireGuard.status(of: PeerIndex(number: number))
            else { continue }
            list.append(UAPI.PeerStatus(traffic, endpoint: endpoint(of: number, entry)))
        }
        return UAPI.DeviceStatus(listenPort: ipv4Port ?? ipv6Port ?? 0, peers: list)
    }

    /// A relayed peer shows the address that stands for its region, as official nodes have it.
    private func endpoint(of number: Int, _ entry: PeerTable.Entry) -> Endpoint? {
        if entry.desired.isWireGuardOnly { return entry.plainEndpoint }
        let status = paths.status(of: number, at: now)
        if let direct = status?.currentEndpoint ?? status?.peerRelay?.server { return direct }
        guard let region = status?.relayRegion, let port = UInt16(exactly: region) else {
            return nil
        }
        return Endpoint(.v4(IPv4Address(127, 3, 3, 40)), port: port)
    }
}
