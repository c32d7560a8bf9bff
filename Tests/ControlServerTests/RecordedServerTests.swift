import Compression
import ControlClient
import ControlMessages
import ControlTransport
import CryptoPrimitives
import Foundation
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import NetTypes
import NodeCore
import Testing

@testable import ControlServer

/// What a Headscale server sent to an official client, sent to ours.
@Suite(.timeLimit(.minutes(1))) struct RecordedServerTests {
    private static let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

    /// Recorded messages of a kind for a node, in order.
    private static func recorded(_ kind: String, for node: String) throws -> [[UInt8]] {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Fixtures/ControlCapture")
        return try FileManager.default.contentsOfDirectory(atPath: folder.path)
            .filter { $0.hasPrefix(node) && $0.hasSuffix("-\(kind).json") }.sorted()
            .map { Array(try Data(contentsOf: folder.appendingPathComponent($0))) }
    }

    /// A server that plays a recording, byte for byte as JSON, through the real transport.
    private static func listen(
        playing node: String, key: PrivateKey<MachineKind>
    ) async throws -> Listener {
        let registration = try #require(try recorded("RegisterResponse", for: node).first)
        let maps = try recorded("MapResponse", for: node)
        let front = Front(
            halfOpen: HalfOpenConnections(), clientAddress: ClientAddress(trustedProxies: []),
            respond: { _, _, _, _ in
                PlainResponse(
                    status: .ok, headers: [:],
                    body: ByteBuffer(bytes: ServerKeys(publicKey: key.publicKey).jsonBytes))
            },
            openControl: { (message) throws(ControlOpeningError) in
                try ControlOpening(message, serverKey: key)
            },
            startControl: Front.controlStarter { request, reply in
                // A client that hangs up shows as a failure of its own.
                try? await answer(request, reply, registration, maps)
            },
            relay: nil, logger: logger)
        return try await Listener(
            host: "127.0.0.1", port: 0, group: MultiThreadedEventLoopGroup.singleton,
            front: front, tls: nil)
    }

    private static func answer(
        _ request: MachineRequest, _ reply: MachineReply, _ registration: [UInt8],
        _ maps: [[UInt8]]
    ) async throws {
        guard request.path == "/machine/map" else {
            return try await reply.respond(200, registration)
        }
        let question = try MapRequest(jsonBytes: request.body)
        guard question.isStreaming else { return try await reply.respond(200) }
        try await reply.begin()
        for map in maps {
            let message = question.compression == "zstd" ? Zstd.compress(map) : map
            var frame: [UInt8] = []
            frame.appendLittleEndian(UInt32(message.count))
            try await reply.send(frame + message)
        }
        try await reply.finish()
    }

    /// What the recorded peer was, in the end.
    struct Peer: Sendable {
        var name: String, id: Int64, address: String, endpoint: String
    }

    @Test(
        "Our node makes the same network of a recorded conversation as the official client",
        arguments: [
            (
                "node-a",
                Peer(name: "node-b", id: 2, address: "100.64.0.2", endpoint: "10.99.0.3:41641")
            ),
            (
                "node-b",
                Peer(name: "node-a", id: 1, address: "100.64.0.1", endpoint: "10.99.0.2:41641")
            ),
        ])
    func replay(name: String, expected: Peer) async throws {
        let serverKey = PrivateKey<MachineKind>()
        let listener = try await Self.listen(playing: name, key: serverKey)
        let port = try #require(listener.channel.localAddress?.port)
        let node = try TestNode(name, port: port, version: 113)
        let reply = try await node.client.register(node.registration(authKey: "any"))
        #expect(reply.error.isEmpty && reply.isMachineAuthorized && reply.authURL.isEmpty)
        #expect(reply.login.loginName == "rig")

        try await node.client.sendUpdate(node.update(endpoints: []))
        var follower = node.follow()
        var map = NetworkMap()
        var count = 0
        while let response = await follower.next() {
            _ = map.apply(response, now: .zero)
            count += 1
        }
        #expect(count == (try Self.recorded("MapResponse", for: name)).count)
        let own = try #require(map.selfNode)
        #expect(own.isMachineAuthorized && own.name == "\(name).rig.example.")
        #expect(map.domain == "10.99.0.1" && map.magicDNSSuffix == "rig.example")
        #expect(map.userProfiles[own.user]?.loginName == "rig")
        let relay = try #require(map.derpMap.regions?[999]?.nodes.first)
        #expect(relay.hostName == "10.99.0.1" && relay.derpPort == 8080)

        let now = try #require(map.controlTime)
        let desired = DesiredConfiguration(map: map, settings: NodeSettings(), now: now)
        #expect(desired.addresses == own.addresses.sorted())
        let peer = try #require(desired.peers.first)
        #expect(desired.peers.count == 1)
        #expect(peer.nodeID == NodeID(expected.id) && peer.homeRelay == 999)
        #expect(peer.endpoints.contains(try #require(Endpoint(expected.endpoint))))
        #expect(!peer.discoKey.isZero && !peer.nodeKey.isZero)
        #expect(peer.allowedIPs.contains(IPPrefix(host: try #require(IPAddress(expected.address)))))
        #expect(desired.routes == peer.allowedIPs.sorted())
        #expect(!desired.filterRules.isEmpty)
        _ = await follower.stop()
        await node.client.close()
        await listener.close()
    }
}
