import CryptoPrimitives
import DERP
import DERPClient
import NIOCore
import NIOPosix
import NetTypes
import RelayServer
import Testing

@Suite(.timeLimit(.minutes(1))) struct FailoverTests {
    private let group = MultiThreadedEventLoopGroup.singleton

    private func node(_ port: Int) -> RelayMap.Node {
        RelayMap.Node(
            name: "\(port)", hostName: "127.0.0.1", port: UInt16(port), isPlainHTTP: true)
    }

    @Test func theNextNodeOfTheRegionTakesOver() async throws {
        let first = try await TestRelay(group: group)
        let second = try await TestRelay(group: group)
        let map = RelayMap(regions: [
            900: .init(id: 900, code: "a", nodes: [node(first.port), node(second.port)])
        ])
        let alice = TestNode(group: group, map: map)
        try await eventually("at the first") { first.server.connectionCount == 1 }
        try await first.stop()
        try await eventually("at the second") { second.server.connectionCount == 1 }
        await alice.pool.shutDown()
        try await second.stop()
    }

    @Test func whatIsForARegionThatIsGoneGoesThroughHome() async throws {
        let gone = try await TestRelay(group: group)
        let port = gone.port
        try await gone.stop()
        let home = try await TestRelay(group: group)
        let map = RelayMap(regions: [
            900: .init(id: 900, code: "a", nodes: [node(home.port)]),
            901: .init(id: 901, code: "b", nodes: [node(port)]),
        ])
        let (alice, bob) = (TestNode(group: group, map: map), TestNode(group: group, map: map))
        try await eventually("both up") { home.server.connectionCount == 2 }
        alice.pool.prepare(region: 901)
        try await eventually("known to be gone") {
            alice.recorder.events.contains(.unreachable(region: 901))
        }
        alice.pool.send(region: 901, to: bob.key.publicKey, packet: [7])
        try await eventually("arrived") { bob.recorder.packetCount == 1 }
        // It comes back.
        let back = try await TestRelay(group: group, port: port)
        try await eventually("used again") { back.server.connectionCount == 1 }
        await alice.pool.shutDown()
        await bob.pool.shutDown()
        try await home.stop()
        try await back.stop()
    }
}
