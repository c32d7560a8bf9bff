package import NetTypes

extension UAPI {
    /// What a `get` answers. Neither the private key nor a pre-shared one is ever among it.
    package struct DeviceStatus: Equatable, Sendable {
        package var listenPort: UInt16
        package var firewallMark: UInt32
        package var peers: [PeerStatus]

        package init(listenPort: UInt16, firewallMark: UInt32 = 0, peers: [PeerStatus]) {
            self.listenPort = listenPort
            self.firewallMark = firewallMark
            self.peers = peers
        }
    }

    package struct PeerStatus: Equatable, Sendable {
        package var traffic: PeerTrafficStatus
        /// Where the peer is reached now.
        package var endpoint: Endpoint?

        package init(_ traffic: PeerTrafficStatus, endpoint: Endpoint?) {
            self.traffic = traffic
            self.endpoint = endpoint
        }
    }

    /// The answer to a `get`.
    package static func response(_ device: DeviceStatus) -> String {
        var lines: [String] = []
        if device.listenPort != 0 { lines.append("listen_port=\(device.listenPort)") }
        if device.firewallMark != 0 { lines.append("fwmark=\(device.firewallMark)") }
        for peer in device.peers { append(peer, to: &lines) }
        return lines.map { $0 + "\n" }.joined() + response(errno: Errno.none)
    }

    /// The answer to a `set`, and to a request that is refused.
    package static func response(errno: Int32) -> String { "errno=\(errno)\n\n" }

    private static func append(_ peer: PeerStatus, to lines: inout [String]) {
        let traffic = peer.traffic
        lines.append("public_key=\(Hexadecimal.encode(traffic.publicKey.bytes.array))")
        lines.append("protocol_version=1")
        if let endpoint = peer.endpoint { lines.append("endpoint=\(endpoint)") }
        let handshake = traffic.lastHandshake ?? Timestamp(unixSeconds: 0)
        lines.append("last_handshake_time_sec=\(handshake.unixSeconds)")
        lines.append("last_handshake_time_nsec=\(handshake.nanoseconds)")
        lines.append("tx_bytes=\(traffic.sentBytes)")
        lines.append("rx_bytes=\(traffic.receivedBytes)")
        let interval = traffic.persistentKeepalive.count / Nanoseconds.seconds(1).count
        lines.append("persistent_keepalive_interval=\(interval)")
        for prefix in traffic.allowedIPs { lines.append("allowed_ip=\(prefix)") }
    }
}
