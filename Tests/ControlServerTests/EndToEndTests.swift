import ControlClient
import ControlMessages
import Coordination
import CryptoPrimitives
import NIOCore
import NetTypes
import Testing

@testable import ControlServer

/// Our client against our server over the loopback interface.
@Suite(.timeLimit(.minutes(1))) struct EndToEndTests {
    @Test("A node joins with a key and gets its map", arguments: [true, false])
    func join(compressed: Bool) async throws {
        let test = try await TestServer()
        let node = try TestNode("alpha", port: test.server.port)
        let reply = try await node.client.register(
            node.registration(authKey: try await test.authKey()))
        #expect(reply.error == "")
        #expect(reply.isMachineAuthorized)
        #expect(reply.login.loginName == "ada")
        var follower = node.follow(compressed: compressed)
        let map = try #require(await follower.next())
        #expect(map.node?.key == node.nodeKey.publicKey)
        #expect(map.node?.name == "alpha.mesh.test.")
        #expect(map.domain == "mesh.test")
        #expect(map.derpMap?.regions?[1] != nil)
        #expect(map.peers == nil)
        _ = await follower.stop()
        await node.client.close()
        await test.stop()
    }

    @Test("Answers to the server's questions go where it wants them, and nowhere else")
    func questions() async throws {
        let test = try await TestServer()
        let node = try TestNode("alpha", port: test.server.port)
        let here = "http://127.0.0.1:\(test.server.port)"
        // Both ways to a page that is there, and one that is not.
        try await node.client.deliver(
            Array("{}".utf8), to: "https://unused/machine/update-health", throughChannel: true)
        try await node.client.deliver(nil, to: "\(here)/health?id=1", throughChannel: false)
        for (url, throughChannel) in [
            ("\(here)/none", false), ("https://unused/machine/none", true),
            ("http://127.0.0.1:1/health", false), ("http://127.0.0.1@example.org/", false),
            ("\(here)9/health", false), ("ftp://x/y", true), ("", true),
        ] {
            await #expect(throws: ControlClientError.self, "\(url)") {
                try await node.client.deliver([1], to: url, throughChannel: throughChannel)
            }
        }
        await node.client.close()
        await test.stop()
    }

    @Test("A second node appears at the first, moves, goes offline and logs out")
    func changes() async throws {
        let test = try await TestServer()
        var options = Coordinator.PreAuthKeyOptions()
        options.isReusable = true
        let key = try await test.authKey(options)
        let first = try TestNode("alpha", port: test.server.port)
        _ = try await first.client.register(first.registration(authKey: key))
        var watch = first.follow()
        _ = try #require(await watch.next())

        let second = try TestNode("beta", port: test.server.port)
        _ = try await second.client.register(second.registration(authKey: key))
        let joined = await watch.next { $0.peersChanged?.first?.name == "beta.mesh.test." }
        let id = try #require(joined?.peersChanged?.first?.id)
        var other = second.follow()
        let map = try #require(await other.next())
        #expect(map.peers?.map(\.name) == ["alpha.mesh.test."])

        let endpoint = Endpoint(.v4(IPv4Address(192, 0, 2, 7)), port: 41641)
        try await second.client.sendUpdate(second.update(endpoints: [endpoint]))
        let moved = await watch.next { response in
            response.peersChangedPatch?.first?.endpoints == [endpoint]
                || response.peersChanged?.first?.endpoints == [endpoint]
        }
        #expect(moved != nil)

        _ = await other.stop()
        let gone = await watch.next { response in
            response.peersChangedPatch?.first { $0.nodeID == id }?.isOnline == false
                || response.peersChanged?.first { $0.id == id }?.isOnline == false
        }
        #expect(gone != nil)
        // Timers that went off leave nothing running.
        #expect(await test.server.owner.timerRounds < 100)

        var logout = second.registration()
        logout.expiry = Timestamp(unixSeconds: 123)
        let left = try await second.client.register(logout)
        #expect(left.isNodeKeyExpired)
        let expired = await watch.next { $0.peersChanged?.first { $0.id == id }?.isExpired == true }
        #expect(expired != nil)
        _ = await watch.stop()
        await first.client.close()
        await second.client.close()
        await test.stop()
    }

    @Test("A login without a key waits until an administrator approves it")
    func approval() async throws {
        let test = try await TestServer()
        _ = try await test.authKey()
        let node = try TestNode("alpha", port: test.server.port)
        let first = try await node.client.register(node.registration())
        #expect(first.authURL.hasPrefix("http://127.0.0.1/register/"))
        async let answer = node.client.register(node.registration(followup: first.authURL))
        let id = PendingLoginID(first.authURL)
        _ = try await test.server.owner.perform { coordinator, now, _ in
            try coordinator.approveLogin(id, user: "ada", at: now.wall)
        }
        let reply = try await answer
        #expect(reply.authURL == "")
        #expect(reply.isMachineAuthorized)
        await node.client.close()
        await test.stop()
    }

    @Test("A wrong key is refused with words for the user")
    func wrongAuthKey() async throws {
        let test = try await TestServer()
        let node = try TestNode("alpha", port: test.server.port)
        let reply = try await node.client.register(node.registration(authKey: "nonsense"))
        #expect(reply.error.contains("auth key"))
        await node.client.close()
        await test.stop()
    }

    @Test("A map for an unknown node is an error, never an empty success")
    func unknownNode() async throws {
        let test = try await TestServer()
        let node = try TestNode("alpha", port: test.server.port)
        let error = await node.follow().task.value as? ControlClientError
        guard case .refused(404, _)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        await node.client.close()
        await test.stop()
    }

    @Test("A silent network is kept alive by the server")
    func keepAlive() async throws {
        var timing = MachineService.Timing()
        timing.keepAlive = .milliseconds(50)
        let test = try await TestServer(timing: timing)
        let node = try TestNode("alpha", port: test.server.port)
        _ = try await node.client.register(node.registration(authKey: try await test.authKey()))
        var follower = node.follow()
        #expect(await follower.next { $0.isKeepAlive } != nil)
        #expect(await follower.next { $0.isKeepAlive } != nil)
        _ = await follower.stop()
        await node.client.close()
        await test.stop()
    }

    @Test("A client notices that the server fell silent")
    func silence() async throws {
        let test = try await TestServer()
        let node = try TestNode("alpha", port: test.server.port) {
            $0.timeouts.mapSilence = .milliseconds(100)
        }
        _ = try await node.client.register(node.registration(authKey: try await test.authKey()))
        var follower = node.follow()
        _ = await follower.next()
        let error = await follower.task.value as? ControlClientError
        #expect(error == .mapStreamSilent(after: .milliseconds(100)))
        await node.client.close()
        await test.stop()
    }

    @Test("After a restart of the server the same client gets its map again")
    func restart() async throws {
        let test = try await TestServer()
        let port = test.server.port
        let node = try TestNode("alpha", port: port)
        _ = try await node.client.register(node.registration(authKey: try await test.authKey()))
        var before = node.follow()
        let address = await before.next()?.node?.addresses
        await test.stop()
        #expect(await before.task.value != nil)
        let again = try await TestServer(
            store: test.store, serverKey: test.serverKey, port: port)
        var after = node.follow()
        #expect(await after.next()?.node?.addresses == address)
        _ = await after.stop()
        await node.client.close()
        await again.stop()
    }

    @Test("A server with another key is refused until the next login")
    func changedServerKey() async throws {
        let test = try await TestServer()
        let port = test.server.port
        let node = try TestNode("alpha", port: port)
        _ = try await node.client.register(node.registration(authKey: try await test.authKey()))
        await test.stop()
        let again = try await TestServer(store: test.store, port: port)
        var error = await node.follow().task.value as? ControlClientError
        // The lost connection may have to be noticed first.
        if case .connectionLost? = error {
            error = await node.follow().task.value as? ControlClientError
        }
        guard case .handshakeRefused? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(try await node.client.register(node.registration()).isMachineAuthorized)
        await node.client.close()
        await again.stop()
    }

    @Test("What cannot be stored is not acknowledged, and works again later")
    func storageFailure() async throws {
        let test = try await TestServer()
        let key = try await test.authKey()
        let node = try TestNode("alpha", port: test.server.port)
        test.store.fail(true)
        await #expect(throws: ControlClientError.self) {
            _ = try await node.client.register(node.registration(authKey: key))
        }
        test.store.fail(false)
        let reply = try await node.client.register(node.registration(authKey: key))
        #expect(reply.isMachineAuthorized)
        await node.client.close()
        await test.stop()
    }

    @Test("A newer map stream of a node ends the older one")
    func replacedStream() async throws {
        let test = try await TestServer()
        let node = try TestNode("alpha", port: test.server.port)
        _ = try await node.client.register(node.registration(authKey: try await test.authKey()))
        var older = node.follow()
        _ = await older.next()
        var newer = node.follow()
        #expect(await newer.next()?.node != nil)
        #expect(await older.task.value != nil)
        _ = await newer.stop()
        await node.client.close()
        await test.stop()
    }
}
