import ControlClient
import ControlMessages
import Coordination
import CryptoPrimitives
import Foundation
import Logging
import NIOPosix
import NetTypes
import Testing

@testable import ControlServer

/// What an official client sent to a Headscale server, sent to ours.
@Suite(.timeLimit(.minutes(1))) struct CapturedClientTests {
    private func captured(_ name: String) throws -> [UInt8] {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Fixtures/ControlCapture/\(name)")
        return Array(try Data(contentsOf: file))
    }

    @Test("The recorded requests of an official client are served")
    func replay() async throws {
        let test = try await TestServer()
        _ = try await test.authKey()
        let registration = try RegisterRequest(
            jsonBytes: captured("node-a-00-RegisterRequest.json"))
        let key = try #require(registration.authKey)
        _ = try await test.server.owner.perform { coordinator, now, random in
            let decision = try coordinator.createPreAuthKey(
                user: "ada", .init(), imported: key, at: now.wall, random: &random)
            return Decision((), changes: decision.changes)
        }
        let node = try TestNode("recorded", port: test.server.port, version: 133)
        let reply = try await node.client.register(registration)
        #expect(reply.error == "")
        #expect(reply.isMachineAuthorized)
        try await node.client.sendUpdate(
            MapRequest(jsonBytes: captured("node-a-02-MapRequest.json")))
        let poll = try MapRequest(jsonBytes: captured("node-a-03-MapRequest.json"))
        struct Enough: Error { var map: MapResponse }
        do {
            try await node.client.streamMap(poll) { throw Enough(map: $0) }
            Issue.record("the stream ended")
        } catch let enough as Enough {
            #expect(enough.map.node?.key == registration.nodeKey)
            #expect(enough.map.node?.isMachineAuthorized == true)
            #expect(enough.map.packetFilters?["base"] != nil)
        }
        await node.client.close()
        await test.stop()
    }
}
