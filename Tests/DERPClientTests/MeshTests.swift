import CryptoPrimitives
import DERP
import DERPClient
import NIOCore
import NIOPosix
import NetTypes
import RelayCore
import RelayServer
import Testing

@Suite(.timeLimit(.minutes(1))) struct MeshTests {
    private let group = MultiThreadedEventLoopGroup.singleton
    private let meshText = String(repeating: "5a", count: 32)

    private func relay(
        _ key: PrivateKey<RelayKind> = PrivateKey(), mesh: String? = nil, port: Int = 0
    ) async throws -> TestRelay {
        var configuration = TestRelay.roomy
        configuration.meshKey = (mesh ?? meshText).isEmpty ? nil : MeshKey(text: mesh ?? meshText)
        return try await TestRelay(
            group: group, key: key, port: port, configuration: configuration)
    }

    private func node(_ relay: TestRelay) -> RelayMap.Node {
        RelayMap.Node(
            name: "m", hostName: "127.0.0.1", port: UInt16(relay.port), isPlainHTTP: true)
    }

    @Test func clientsOfDifferentRelaysOfARegionReachEachOther() async throws {
        let (first, second) = (try await relay(), try await relay())
        // Each is given the same list, itself included.
        for relay in [first, second] {
            relay.server.join([node(first), node(second)], group: group)
        }
        let alice = TestNode(group: group, map: first.map())
        let bob = TestNode(group: group, map: second.map())
        let (aliceKey, bobKey) = (alice.key.publicKey, bob.key.publicKey)
        try await eventually("known to each other") {
            first.server.knows(bobKey) && second.server.knows(aliceKey)
        }
        alice.pool.send(region: 900, to: bobKey, packet: [1, 2, 3])
        bob.pool.send(region: 900, to: aliceKey, packet: [4, 5])
        try await eventually("delivered") {
            alice.recorder.packetCount == 1 && bob.recorder.packetCount == 1
        }
        let (atAlice, atBob) = (alice.recorder.packets[0], bob.recorder.packets[0])
        #expect(atBob.source == aliceKey && atBob.bytes == [1, 2, 3])
        #expect(atAlice.source == bobKey && atAlice.bytes == [4, 5])
        await bob.pool.shutDown()
        try await eventually("the sender's peer is told that it left") {
            alice.recorder.events.contains(.peerGone(region: 900, bobKey, .disconnected))
        }
        await alice.pool.shutDown()
        try await first.stop()
        try await second.stop()
    }

    @Test func aRelayThatComesBackIsMeshedAgain() async throws {
        let first = try await relay()
        let key = PrivateKey<RelayKind>()
        let away = try await relay(key)
        let port = away.port
        first.server.join([node(away)], group: group)
        try await eventually("connected") { away.server.connectionCount == 1 }
        try await away.stop()
        let back = try await relay(key, port: port)
        let bob = TestNode(group: group, map: back.map())
        try await eventually("known again") { first.server.knows(bob.key.publicKey) }
        await bob.pool.shutDown()
        try await first.stop()
        try await back.stop()
    }

    @Test func aRelayWithAnotherMeshKeyIsToldNothing() async throws {
        let victim = try await relay()
        let hostile = try await relay(mesh: String(repeating: "77", count: 32))
        let bob = TestNode(group: group, map: victim.map())
        let bobKey = bob.key.publicKey
        try await eventually("up") { victim.server.knows(bobKey) }
        hostile.server.join([node(victim)], group: group)
        try await eventually("turned away, twice") { victim.server.statistics.relaysRefused >= 2 }
        #expect(!hostile.server.knows(bobKey) && victim.server.connectionCount == 1)
        await bob.pool.shutDown()
        try await victim.stop()
        try await hostile.stop()
    }
}
