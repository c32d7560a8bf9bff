import CryptoPrimitives
import DERP
import DERPClient
import NIOCore
import NIOPosix
import NetTypes
import RelayServer
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1))) struct LoopbackTests {
    let group = MultiThreadedEventLoopGroup.singleton

    @Test func twoNodesExchangePackets() async throws {
        let relay = try await TestRelay(group: group)
        let a = TestNode(group: group, map: relay.map())
        let b = TestNode(group: group, map: relay.map())
        try await eventually("both connected") { relay.server.connectionCount == 2 }
        let packets = (0..<200).map { [UInt8](repeating: UInt8($0), count: 1 + $0 * 40) }
        for packet in packets { a.pool.send(region: 900, to: b.key.publicKey, packet: packet) }
        try await eventually("all arrived") { b.recorder.packetCount == 200 }
        #expect(b.recorder.packets.map(\.bytes) == packets)
        #expect(b.recorder.packets.allSatisfy { $0.source == a.key.publicKey })

        b.pool.send(region: 900, to: a.key.publicKey, packet: [7])
        try await eventually("answer") { a.recorder.packetCount == 1 }
        #expect(a.recorder.connectedCount == 1)
        await a.pool.shutDown()
        try await eventually("peer gone") {
            b.recorder.events.contains(
                .peerGone(region: 900, a.key.publicKey, .disconnected))
        }
        await b.pool.shutDown()
        try await relay.stop()
    }

    @Test func theLargestPacketPasses() async throws {
        let relay = try await TestRelay(group: group)
        let a = TestNode(group: group, map: relay.map())
        let b = TestNode(group: group, map: relay.map())
        try await eventually("both connected") { relay.server.connectionCount == 2 }
        let large = [UInt8](repeating: 5, count: 64 << 10)
        a.pool.send(region: 900, to: b.key.publicKey, packet: large + [1])
        a.pool.send(region: 900, to: b.key.publicKey, packet: large)
        try await eventually("arrived") { b.recorder.packetCount == 1 }
        #expect(b.recorder.packets[0].bytes == large)
        #expect(a.pool.statistics.packetsRefused == 1)
        await a.pool.shutDown()
        await b.pool.shutDown()
        try await relay.stop()
    }

    @Test func aRestartedRelayIsFoundAgain() async throws {
        let key = PrivateKey<RelayKind>()
        var configuration = RelayServer.Configuration()
        configuration.reconnectIn = .milliseconds(1)
        let relay = try await TestRelay(group: group, key: key, configuration: configuration)
        let port = relay.port
        let a = TestNode(group: group, map: relay.map())
        try await eventually("connected") { a.recorder.connectedCount == 1 }
        try await relay.stop()
        try await eventually("lost") { !a.recorder.disconnectReasons.isEmpty }
        let second = try await TestRelay(group: group, key: key, port: port)
        try await eventually("connected again") { a.recorder.connectedCount == 2 }
        await a.pool.shutDown()
        try await second.stop()
    }

    @Test func aRelayWhosePlainUpgradeIsRefusedIsReachedByWebSocket() async throws {
        let relay = try await TestRelay(group: group, onlyWebSockets: true)
        let a = TestNode(group: group, map: relay.map())
        let b = TestNode(group: group, map: relay.map())
        try await eventually("both connected") { relay.server.connectionCount == 2 }
        let packets = (0..<60).map { [UInt8](repeating: UInt8($0), count: 1 + $0 * 500) }
        for packet in packets { a.pool.send(region: 900, to: b.key.publicKey, packet: packet) }
        try await eventually("all arrived") { b.recorder.packetCount == 60 }
        #expect(b.recorder.packets.map(\.bytes) == packets)
        #expect(relay.webSockets.count.withLock { $0 } == 2)
        #expect(a.recorder.disconnectReasons.allSatisfy { $0.contains("403 Forbidden") })

        // It is remembered.
        relay.server.disconnect(a.key.publicKey)
        try await eventually("connected again") { a.recorder.connectedCount == 2 }
        #expect(relay.webSockets.count.withLock { $0 } == 3)
        await a.pool.shutDown()
        await b.pool.shutDown()
        try await relay.stop()
    }

    @Test func aRegionThatIsNotHomeIsDialledOnDemand() async throws {
        let relay = try await TestRelay(group: group)
        let b = TestNode(group: group, map: relay.map())
        var configuration = RelayPoolConfiguration()
        configuration.idleMax = .milliseconds(100)
        configuration.keptMax = 0
        let a = TestNode(
            group: group, map: relay.map(), home: nil, configuration: configuration)
        try await eventually("b connected") { relay.server.connectionCount == 1 }
        a.pool.send(region: 900, to: b.key.publicKey, packet: [1, 2, 3])
        try await eventually("arrived") { b.recorder.packetCount == 1 }
        try await eventually("left again") { relay.server.connectionCount == 1 }
        #expect(a.recorder.disconnectReasons == ["not used any more"])
        a.pool.send(region: 900, to: b.key.publicKey, packet: [4])
        try await eventually("arrived again") { b.recorder.packetCount == 2 }
        await a.pool.shutDown()
        await b.pool.shutDown()
        try await relay.stop()
    }

    @Test func aRegionThatIsLikelyToBeNeededIsDialledAheadAndTheLastOnesAreKept() async throws {
        let relays = [
            try await TestRelay(group: group), try await TestRelay(group: group),
            try await TestRelay(group: group),
        ]
        var map = RelayMap()
        for (index, relay) in relays.enumerated() {
            map.regions.merge(relay.map(region: 901 + index).regions) { $1 }
        }
        var configuration = RelayPoolConfiguration()
        configuration.idleMax = .milliseconds(50)
        configuration.keptMax = 1
        let node = TestNode(group: group, map: map, home: 901, configuration: configuration)
        try await eventually("at home") { relays[0].server.connectionCount == 1 }
        #expect(relays[1].server.connectionCount == 0)
        node.pool.prepare(region: 902)
        try await eventually("ready") { relays[1].server.connectionCount == 1 }
        // Idle after 50 ms, and kept: until the next one is.
        node.pool.prepare(region: 903)
        try await eventually("ready as well") { relays[2].server.connectionCount == 1 }
        try await eventually("the older one is left") { relays[1].server.connectionCount == 0 }
        #expect(relays[2].server.connectionCount == 1)
        try await eventually("and that is told") {
            node.recorder.disconnectReasons == ["not used any more"]
        }

        // Its first packet waits for no dial.
        let peer = TestNode(group: group, map: map, home: 903)
        try await eventually("the peer is there") { relays[2].server.connectionCount == 2 }
        let connections = node.recorder.connectedCount
        node.pool.send(region: 903, to: peer.key.publicKey, packet: [1])
        try await eventually("arrived") { peer.recorder.packetCount == 1 }
        #expect(node.recorder.connectedCount == connections)
        await node.pool.shutDown()
        await peer.pool.shutDown()
        for relay in relays { try await relay.stop() }
    }

    @Test func aConnectionThatIsCutIsMadeAgain() async throws {
        let relay = try await TestRelay(group: group)
        var configuration = RelayPoolConfiguration()
        configuration.stableAfter = .zero
        let a = TestNode(group: group, map: relay.map(), configuration: configuration)
        let b = TestNode(group: group, map: relay.map())
        for round in 1...5 {
            try await eventually("connected") {
                a.recorder.connectedCount == round && relay.server.connectionCount == 2
            }
            a.pool.send(region: 900, to: b.key.publicKey, packet: [UInt8(round)])
            try await eventually("arrived") { b.recorder.packetCount == round }
            relay.server.disconnect(a.key.publicKey)
            try await eventually("cut") { a.recorder.disconnectReasons.count == round }
        }
        #expect(Set(a.recorder.disconnectReasons) == ["the relay closed the connection"])
        await a.pool.shutDown()
        await b.pool.shutDown()
        try await relay.stop()
    }

    @Test func whatIsNoRelayIsNamed() async throws {
        let answers = [
            "HTTP/1.1 403 Forbidden\r\nServer: proxy\r\n\r\n": "403 Forbidden",
            "SSH-2.0-OpenSSH_9.2\r\n": "did not answer in HTTP",
        ]
        for (answer, text) in answers.sorted(by: { $0.key < $1.key }) {
            let listener = try await ServerBootstrap(group: group)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(Answering(answer))
                    }
                }
                .bind(host: "127.0.0.1", port: 0).get()
            let port = UInt16(listener.localAddress!.port!)
            let relay = RelayMap.Node(
                name: "x", hostName: "127.0.0.1", port: port, isPlainHTTP: true)
            let region = RelayMap.Region(id: 900, code: "x", nodes: [relay])
            let node = TestNode(group: group, map: RelayMap(regions: [900: region]))
            try await eventually("refused") { !node.recorder.disconnectReasons.isEmpty }
            let reason = node.recorder.disconnectReasons[0]
            #expect(reason.contains(text), "\(reason)")
            await node.pool.shutDown()
            try await listener.close()
        }
    }
}

/// Says the same to everyone.
private final class Answering: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    private let answer: String
    init(_ answer: String) { self.answer = answer }
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer)), promise: nil)
    }
}
