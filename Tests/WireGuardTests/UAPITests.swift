import CryptoPrimitives
import NetTypes
import Testing
import WireGuard

@Suite("WireGuard userspace interface")
struct UAPITests {
    private func parse(_ text: String) throws(UAPI.ParseError) -> UAPI.Request {
        try UAPI.parse(Array(text.utf8).span.bytes)
    }
    private func change(_ lines: String) throws -> UAPI.Change {
        guard case .set(let change) = try parse("set=1\n" + lines + "\n") else {
            throw UAPI.ParseError.malformed
        }
        return change
    }
    private let key = String(repeating: "0a", count: 32)
    private let zero = String(repeating: "0", count: 64)

    @Test func getIsOneLineAndAnEmptyOne() throws {
        guard case .get = try parse("get=1\n\n") else {
            Issue.record("not a get")
            return
        }
        for text in ["", "\n", "\n\n", "get=1\n", "get=1", "get=2\n\n", "get=1\nset=1\n\n"] {
            #expect(throws: UAPI.ParseError.malformed, "\(text.debugDescription)") {
                _ = try parse(text)
            }
        }
        let isComplete = UAPI.isComplete(Array("get=1\n".utf8).span.bytes)
        #expect(!isComplete)
    }

    @Test func aSetNamesDeviceAndPeersInOrder() throws {
        let change = try change(
            """
            private_key=\(key)
            listen_port=51820
            fwmark=255
            replace_peers=true
            public_key=\(key)
            preshared_key=\(key)
            endpoint=[2001:db8::1]:4
            persistent_keepalive_interval=25
            replace_allowed_ips=true
            allowed_ip=10.0.0.7/24
            allowed_ip=-fd00::/8
            protocol_version=1
            public_key=\(zero)
            update_only=true
            preshared_key=\(zero)
            remove=true

            """)
        guard case .set(let secret) = change.privateKey else {
            Issue.record("no private key")
            return
        }
        #expect(secret.withBytes { $0.array } == [UInt8](repeating: 10, count: 32))
        #expect(change.listenPort == 51820 && change.firewallMark == 255 && change.replacesPeers)
        #expect(change.peers.count == 2)
        let first = change.peers[0]
        #expect(first.endpoint == Endpoint("[2001:db8::1]:4"))
        #expect(first.persistentKeepalive == .seconds(25) && first.replacesAllowedIPs)
        #expect(first.addedIPs == [prefix("10.0.0.0/24")])
        #expect(first.removedIPs == [prefix("fd00::/8")])
        let second = change.peers[1]
        #expect(second.publicKey == .zero && second.updatesOnly && second.removes)
        guard case .remove = second.presharedKey else {
            Issue.record("zeros remove the key")
            return
        }
    }

    @Test func wrongLinesAreRefusedWithoutShowingTheirValues() throws {
        let cases: [(String, UAPI.ParseError)] = [
            ("private_key=0a\n", .invalidValue(key: "private_key")),
            ("listen_port=65536\n", .invalidValue(key: "listen_port")),
            ("listen_port=-1\n", .invalidValue(key: "listen_port")),
            ("listen_port=\n", .invalidValue(key: "listen_port")),
            ("fwmark=+1\n", .invalidValue(key: "fwmark")),
            ("replace_peers=1\n", .invalidValue(key: "replace_peers")),
            ("endpoint=1.2.3.4:5\n", .unknownKey("endpoint")),
            ("public_key=zz\n", .invalidValue(key: "public_key")),
            ("public_key=\(key)\nallowed_ip=10.0.0.1\n", .invalidValue(key: "allowed_ip")),
            ("public_key=\(key)\nprotocol_version=2\n", .invalidValue(key: "protocol_version")),
            ("public_key=\(key)\nlisten_port=1\n", .unknownKey("listen_port")),
            ("nonsense\n", .malformed), ("a\u{7}=b\n", .unknownKey("a\\u{07}")),
        ]
        for (lines, expected) in cases {
            #expect(throws: expected, "\(lines)") { _ = try change(lines) }
        }
        #expect(UAPI.ParseError.malformed.errno == -22)
        #expect(UAPI.ParseError.unknownKey("x").errno == -71)
        let long = "set=1\n" + String(repeating: "fwmark=1\n", count: 200_000) + "\n"
        #expect(throws: UAPI.ParseError.malformed) { _ = try parse(long) }
    }

    @Test func changesApplyToWhatThereIs() throws {
        var peer = try change("public_key=\(key)\nallowed_ip=10.0.0.0/8\n").peers[0]
        let created = try #require(peer.applied(to: nil))
        #expect(created.allowedIPs == [prefix("10.0.0.0/8")])
        peer = try change("public_key=\(key)\nallowed_ip=-10.0.0.0/8\nallowed_ip=fd00::/8\n")
            .peers[0]
        #expect(try #require(peer.applied(to: created)).allowedIPs == [prefix("fd00::/8")])
        peer = try change("public_key=\(key)\nreplace_allowed_ips=true\n").peers[0]
        #expect(try #require(peer.applied(to: created)).allowedIPs.isEmpty)
        peer = try change("public_key=\(key)\nupdate_only=true\n").peers[0]
        #expect(peer.applied(to: nil) == nil && peer.applied(to: created) != nil)
        peer = try change("public_key=\(key)\nremove=true\n").peers[0]
        #expect(peer.applied(to: created) == nil)
    }

    @Test func theAnswerListsPeersAndNoSecret() throws {
        var device = WireGuardDevice(
            privateKey: nodeKey(seed: 1), random: SeededRandom(seed: 1))
        let secret = [UInt8](repeating: 0xAB, count: 32)
        try device.upsertPeer(
            PeerConfiguration(
                publicKey: NodeKey(Bytes32([UInt8](repeating: 10, count: 32))),
                presharedKey: SecretBytes(copying: secret.span.bytes),
                allowedIPs: [prefix("10.0.0.1/32"), prefix("fd7a::1/128")],
                persistentKeepalive: .seconds(25)), at: MonotonicInstant(nanoseconds: 1))
        var peers: [UAPI.PeerStatus] = []
        for index in device.peerIndices {
            guard let traffic = device.status(of: index) else { continue }
            peers.append(.init(traffic, endpoint: Endpoint("127.3.3.40:900")))
        }
        let text = UAPI.response(.init(listenPort: 41641, firewallMark: 0x80000, peers: peers))
        #expect(
            text == """
                listen_port=41641
                fwmark=524288
                public_key=\(key)
                protocol_version=1
                endpoint=127.3.3.40:900
                last_handshake_time_sec=0
                last_handshake_time_nsec=0
                tx_bytes=0
                rx_bytes=0
                persistent_keepalive_interval=25
                allowed_ip=10.0.0.1/32
                allowed_ip=fd7a::1/128
                errno=0


                """)
        #expect(UAPI.response(errno: UAPI.Errno.invalid) == "errno=-22\n\n")
    }
}
