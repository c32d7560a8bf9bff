import ControlClient
import ControlMessages
import ControlTransport
import Coordination
import CryptoPrimitives
import NIOCore
import NIOHPACK
import NIOHTTP2
import NIOPosix
import NetTypes
import Testing

@testable import ControlServer

@Suite(.timeLimit(.minutes(2)), .serialized) struct ManyNodesTests {
    private func reusableKey(_ test: TestServer) async throws -> String {
        var options = Coordinator.PreAuthKeyOptions()
        options.isReusable = true
        return try await test.authKey(options)
    }

    @Test("Fifty nodes join at once, share transactions, and all see one change")
    func changeReachesAll() async throws {
        let test = try await TestServer()
        let key = try await reusableKey(test)
        let nodes = try (0..<50).map { try TestNode("node-\($0)", port: test.server.port) }
        let before = test.store.commits
        test.store.hold()
        try await withThrowingTaskGroup { group in
            for node in nodes {
                group.addTask {
                    let reply = try await node.client.register(node.registration(authKey: key))
                    #expect(reply.isMachineAuthorized)
                }
            }
            // All but the first are decided while its transaction runs.
            while await test.server.owner.read({ coordinator, _ in coordinator.state.nodes.count })
                < nodes.count
            { try await Task.sleep(for: .milliseconds(1)) }
            test.store.resume()
            try await group.waitForAll()
        }
        #expect(test.store.commits == before + 2)
        var followers = nodes.map { $0.follow() }
        for index in followers.indices {
            let map = await followers[index].next { $0.node != nil }
            #expect(map?.peers?.count == nodes.count - 1)
        }
        let endpoint = Endpoint(.v4(IPv4Address(192, 0, 2, 77)), port: 7)
        let start = ContinuousClock.now
        try await nodes[0].client.sendUpdate(nodes[0].update(endpoints: [endpoint]))
        for index in followers.indices.dropFirst() {
            let seen = await followers[index].next { response in
                response.peersChangedPatch?.contains { $0.endpoints == [endpoint] } == true
                    || response.peersChanged?.contains { $0.endpoints == [endpoint] } == true
            }
            #expect(seen != nil)
        }
        print("all of \(nodes.count - 1) nodes saw a change after \(ContinuousClock.now - start)")
        for follower in followers { _ = await follower.stop() }
        for node in nodes { await node.client.close() }
        await test.stop()
    }

    @Test("A client that reads nothing from its map stream is dropped and costs no queue")
    func silentReader() async throws {
        var timing = MachineService.Timing()
        timing.writeLimit = .milliseconds(500)
        timing.spacing = .zero
        let test = try await TestServer(timing: timing)
        let key = try await reusableKey(test)
        let deaf = try TestNode("deaf", port: test.server.port)
        _ = try await deaf.client.register(deaf.registration(authKey: key))
        await deaf.client.close()

        let group = MultiThreadedEventLoopGroup.singleton
        let opened = group.any().makePromise(of: NIOHTTP2Handler.StreamMultiplexer.self)
        let parameters = ControlDialParameters(
            host: "127.0.0.1", version: 113, machineKey: deaf.machineKey,
            serverKey: test.serverKey.publicKey)
        let channel = try await ClientBootstrap(group: group)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addControlClient(
                        parameters, opened: opened)
                }
            }
            .connect(host: "127.0.0.1", port: test.server.port).get()
        let multiplexer = try await opened.futureResult.get()
        let stream = try await multiplexer.createStreamChannel {
            $0.eventLoop.makeSucceededVoidFuture()
        }.get()
        try await stream.setOption(.autoRead, value: false).get()
        let headers = HPACKHeaders([
            (":method", "POST"), (":scheme", "https"), (":path", "/machine/map"),
            (":authority", "a"),
        ])
        stream.write(HTTP2Frame.FramePayload.headers(.init(headers: headers)), promise: nil)
        let body = ByteBuffer(bytes: deaf.poll(compressed: false).jsonBytes)
        try await stream.writeAndFlush(
            HTTP2Frame.FramePayload.data(.init(data: .byteBuffer(body), endStream: true)))

        // Each new node is told to the deaf one with 200 KB of its own words.
        let talker = try TestNode("talker", port: test.server.port)
        _ = try await talker.client.register(talker.registration(authKey: key))
        var count = 0
        while channel.isActive, count < 1000 {
            count += 1
            var request = talker.update(endpoints: [])
            request.hostinfo?.members["Padding"] = .string(
                String(repeating: count.isMultiple(of: 2) ? "x" : "y", count: 200_000))
            try await talker.client.sendUpdate(request)
        }
        try await channel.closeFuture.get()
        #expect(count < 1000)
        await talker.client.close()
        await test.stop()
    }
}
