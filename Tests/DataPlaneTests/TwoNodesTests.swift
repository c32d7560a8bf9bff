import ControlMessages
import CryptoPrimitives
import DataPlane
import Logging
import NetReport
import NetTypes
import NodeCore
import PacketFilter
import Synchronization
import Testing
import UDPSocket

/// A data plane without TUN whose relay is a closure.
private final class TestNode: Sendable {
    let key: PrivateKey<NodeKind>
    let discoKey: PrivateKey<DiscoKind>
    let address: IPPrefix
    let port: UInt16
    let dataPlane: DataPlane

    /// - Parameter former: The node whose keys, address and port this one takes over.
    init(_ number: UInt8, after former: TestNode? = nil) throws {
        key = former?.key ?? PrivateKey()
        discoKey = former?.discoKey ?? PrivateKey()
        address = IPPrefix(host: .v4(IPv4Address(100, 64, 0, number)))
        let socket = try UDPSocket(family: .v4, port: former?.port ?? 0)
        port = socket.port
        dataPlane = try DataPlane(
            DataPlane.Setup(
                discoKey: discoKey, tun: nil, ipv4: socket, ipv6: nil, acceptsLoopback: true),
            logger: Logger(label: "test-node-\(number)")
        ) { _ in }
        dataPlane.setLinks(LinkSummary(addresses: [.v4(.loopback)], families: .ipv4))
    }

    func desired(id: Int64, endpoints: [Endpoint]) -> DesiredPeer {
        DesiredPeer(
            nodeID: NodeID(id), nodeKey: key.publicKey, discoKey: discoKey.publicKey,
            allowedIPs: [address], endpoints: endpoints, homeRelay: 1, isWireGuardOnly: false)
    }

    func configure(peers: [DesiredPeer], rules: [PacketRule] = [.allowAll]) {
        dataPlane.configure(
            TunnelConfiguration(
                privateKey: key, peers: peers,
                filter: FilterTable(
                    compiling: FilterConfiguration(
                        rules: rules, localDestinations: AddressSet([address]))),
                addresses: [address], relayRegions: []))
    }

    func ping(_ other: TestNode, isThroughTunnel: Bool) async -> PingOutcome {
        await dataPlane.ping(
            other.key.publicKey, address: other.address.address, isThroughTunnel: isThroughTunnel)
    }
}

extension PacketRule {
    fileprivate static var allowAll: Self {
        PacketRule(
            sources: AddressRange.all, destinations: AddressRange.all.map { Destination($0) })
    }
}

/// Delivers what one node sends by relay to the other.
private func connect(_ left: TestNode, _ right: TestNode) {
    for (from, to) in [(left, right), (right, left)] {
        from.dataPlane.setRelay { [key = from.key.publicKey] region, _, packet in
            let bytes = packet.withUnsafeBytes { Array($0) }
            to.dataPlane.receive(
                RelayBatch(
                    region: region, bytes: bytes,
                    packets: [.init(source: key, range: bytes.indices)]))
        }
    }
}

@Suite("two nodes")
struct TwoNodesTests {
    private func withPair(
        directly: Bool, _ body: (TestNode, TestNode) async throws -> Void
    ) async throws {
        let left = try TestNode(1)
        let right = try TestNode(2)
        defer {
            left.dataPlane.stop()
            right.dataPlane.stop()
        }
        connect(left, right)
        let endpoints = { (node: TestNode) in
            directly ? [Endpoint(.v4(.loopback), port: node.port)] : []
        }
        left.configure(peers: [right.desired(id: 2, endpoints: endpoints(right))])
        right.configure(peers: [left.desired(id: 1, endpoints: endpoints(left))])
        try await body(left, right)
    }

    @Test func pingEachOtherThroughTheTunnel() async throws {
        try await withPair(directly: true) { left, right in
            for (from, to) in [(left, right), (right, left)] {
                let outcome = await from.ping(to, isThroughTunnel: true)
                guard case .answered(.tunnel, _) = outcome else {
                    Issue.record("no answer: \(outcome)")
                    return
                }
            }
            let snapshot = await left.dataPlane.snapshot()
            let peer = try #require(snapshot.peers[right.key.publicKey])
            #expect(peer.sentBytes > 0 && peer.receivedBytes > 0)
            #expect(peer.lastHandshake != nil)
        }
    }

    @Test func anAllowedAddressSetByHandMovesToTheLastPeer() async throws {
        try await withPair(directly: true) { left, _ in
            let keys = (0..<2).map { _ in
                Hexadecimal.encode(PrivateKey<NodeKind>().publicKey.bytes.array)
            }
            for key in keys + keys {
                let reply = await left.dataPlane.answerUAPI(
                    Array("set=1\npublic_key=\(key)\nallowed_ip=10.9.0.0/16\n\n".utf8))
                #expect(reply == "errno=0\n\n")
                let status = await left.dataPlane.answerUAPI(Array("get=1\n\n".utf8))
                let peers = status.split(separator: "public_key=").dropFirst()
                let owners = peers.filter { $0.contains("allowed_ip=10.9.0.0/16") }
                #expect(owners.map { String($0.prefix(64)) } == [key])
            }
        }
    }

    @Test func findTheDirectPath() async throws {
        try await withPair(directly: true) { left, right in
            var outcome = PingOutcome.timedOut
            let wanted = Endpoint(.v4(.loopback), port: right.port)
            // The first answer may still come by relay; each ping takes a round trip.
            for _ in 0..<1_000 {
                outcome = await left.ping(right, isThroughTunnel: false)
                if case .answered(.direct(wanted), _) = outcome { return }
            }
            Issue.record("never direct: \(outcome)")
        }
    }

    @Test func theFilterKeepsStrangersOut() async throws {
        try await withPair(directly: true) { left, right in
            right.configure(peers: [left.desired(id: 1, endpoints: [])], rules: [])
            #expect(await left.ping(right, isThroughTunnel: true) == .timedOut)
            let snapshot = await right.dataPlane.snapshot()
            let dropped = snapshot.counters.first { $0.name == "filter-in-dropped" }
            #expect(dropped?.value == 1)
        }
    }

    @Test func aPeerThatStartsAnewIsHeardAgainWithoutWaiting() async throws {
        try await withPair(directly: true) { left, right in
            guard case .answered = await left.ping(right, isThroughTunnel: true) else {
                Issue.record("no answer")
                return
            }
            right.dataPlane.stop()
            let reborn = try TestNode(2, after: right)
            defer { reborn.dataPlane.stop() }
            connect(left, reborn)
            let endpoint = Endpoint(.v4(.loopback), port: left.port)
            reborn.configure(peers: [left.desired(id: 1, endpoints: [endpoint])])
            // WireGuard alone would notice after 15 seconds. The first packet is the one that is lost.
            var outcome = PingOutcome.timedOut
            for _ in 0..<2 where outcome == .timedOut {
                outcome = await left.ping(reborn, isThroughTunnel: true)
            }
            guard case .answered = outcome else {
                Issue.record("not heard again: \(outcome)")
                return
            }
        }
    }

    @Test func aPeerThatIsRemovedIsUnknown() async throws {
        try await withPair(directly: true) { left, right in
            left.configure(peers: [])
            #expect(await left.ping(right, isThroughTunnel: true) == .unknownPeer)
        }
    }

    @Test func stoppingAnswersWhoeverWaits() async throws {
        let node = try TestNode(1)
        node.dataPlane.stop()
        let snapshot = await node.dataPlane.snapshot()
        #expect(snapshot.peers.isEmpty)
    }
}
