import ControlMessages
import FakeNode
import Foundation
import LocalAPI
import Logging
import NIOCore
import NIOPosix
import NetTypes
import Testing

/// A folder that is removed at the end of the test.
private func withSocketPath(_ body: (String) async throws -> Void) async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString.prefix(8))
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try await body(folder.appending(path: "a/skein.sock").path)
}

private func withServer(
    of node: FakeNode, at path: String, _ body: (LocalClient) async throws -> Void
) async throws {
    let server = try await LocalServer.bind(
        path: path, node: node, version: "1.2.3", group: .singleton, logger: Logger(label: "test"))
    try await withThrowingTaskGroup { group in
        group.addTask { try await server.run() }
        try await body(LocalClient(socketPath: path))
        group.cancelAll()
    }
}

/// Sends bytes as they are and returns all that is answered.
private func raw(_ text: String, to path: String) async throws -> String {
    let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .connect(unixDomainSocketPath: path) { channel in
            channel.eventLoop.makeCompletedFuture {
                try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
            }
        }
    return try await channel.executeThenClose { inbound, outbound in
        try await outbound.write(ByteBuffer(string: text))
        var answer = ""
        for try await buffer in inbound { answer += String(buffer: buffer) }
        return answer
    }
}

@Suite("The local socket") struct SocketTests {
    @Test("A client sees the node through the socket, whose mode lets every user connect")
    func client() async throws {
        let node = FakeNode()
        await node.with {
            $0.status.version = "1.2.3"
            $0.status.peers[.zero] = PeerStatus()
        }
        try await withSocketPath { path in
            try await withServer(of: node, at: path) { client in
                #expect(try await client.status().peers.count == 1)
                #expect(try await client.status(peers: false).peers.isEmpty)
                var change = PrefsChange()
                change.hostname = "new name"
                #expect(try await client.edit(change).hostname == "new name")
                #expect(try await client.prefs().hostname == "new name")
                #expect(try await client.whoIs("100.64.0.7") == nil)
                #expect(try await client.derpMap() == nil)
                try await client.start(StartOptions(authKey: "k"))
                try await client.logout()
                #expect(
                    await node.calls.suffix(2) == ["start k", "logout"])
                let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions]
                #expect(mode as? Int == 0o666)
            }
            #expect(!FileManager.default.fileExists(atPath: path))
        }
    }

    @Test("Refusals arrive with the daemon's words")
    func refusal() async throws {
        let node = FakeNode()
        await node.with { $0.refusal = NodeControlError(.conflict, "the key was used already") }
        try await withSocketPath { path in
            try await withServer(of: node, at: path) { client in
                await #expect(
                    throws: LocalClientError.refused(
                        status: 409, message: "the key was used already")
                ) { try await client.start(StartOptions(authKey: "k")) }
            }
        }
    }

    @Test("Without a daemon the client says how to start one")
    func notRunning() async throws {
        try await withSocketPath { path in
            let error = await #expect(throws: LocalClientError.notRunning(path: path)) {
                try await LocalClient(socketPath: path).status()
            }
            #expect(error?.description.contains("sudo skein daemon") == true)
        }
    }

    @Test(
        "A watcher is told the state and its changes until it has seen enough",
        .timeLimit(.minutes(1)))
    func watch() async throws {
        let node = FakeNode()
        try await withSocketPath { path in
            try await withServer(of: node, at: path) { client in
                var seen: [BackendState] = []
                let last: BackendState = try await client.watch([.initialState]) { notify in
                    if let state = notify.state { seen.append(state) }
                    if seen.count == 1 { await node.enter(.starting) }
                    if notify.state == .starting { await node.enter(.running) }
                    return notify.state == .running ? .running : nil
                }
                #expect(last == .running)
                #expect(seen == [.noState, .starting, .running])
            }
        }
    }

    @Test("A second daemon is refused while the first lives, and replaces it when it is dead")
    func stale() async throws {
        let node = FakeNode()
        try await withSocketPath { path in
            try await withServer(of: node, at: path) { _ in
                await #expect(throws: LocalSocketError.inUse(path: path)) {
                    _ = try await LocalServer.bind(
                        path: path, node: node, version: "", group: .singleton,
                        logger: Logger(label: "test"))
                }
            }
            // What a killed daemon leaves: a socket at which nobody listens.
            let dead = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .bind(unixDomainSocketPath: path).get()
            try FileManager.default.moveItem(atPath: path, toPath: path + ".kept")
            try await dead.close()
            try FileManager.default.moveItem(atPath: path + ".kept", toPath: path)
            try await withServer(of: node, at: path) { client in
                _ = try await client.status()
            }
            try Data("precious".utf8).write(to: URL(filePath: path))
            await #expect(throws: LocalSocketError.notASocket(path: path)) {
                _ = try await LocalServer.bind(
                    path: path, node: node, version: "", group: .singleton,
                    logger: Logger(label: "test"))
            }
        }
    }

    @Test(
        "Requests of web pages, of other hosts, malformed and oversized ones are refused",
        .timeLimit(.minutes(1)),
        arguments: [
            ("GET /localapi/v0/status HTTP/1.1\r\nHost: evil.example\r\n\r\n", "403"),
            ("GET /localapi/v0/status HTTP/1.1\r\nHost:\r\nOrigin: http://a\r\n\r\n", "403"),
            ("GET /localapi/v0/status HTTP/1.1\r\nHost:\r\nReferer: http://a\r\n\r\n", "403"),
            ("DELETE /localapi/v0/status HTTP/1.1\r\nHost:\r\n\r\n", "405"),
            ("GET /%zz HTTP/1.1\r\nHost:\r\n\r\n", "400"),
            ("nonsense\r\n\r\n", "400"),
            (
                "PATCH /localapi/v0/prefs HTTP/1.1\r\nHost:\r\nContent-Length: 2000000\r\n\r\n"
                    + String(repeating: " ", count: 2_000_000), "413"
            ),
            ("GET /localapi/v0/status HTTP/1.0\r\nHost: local-tailscaled.sock\r\n\r\n", "200"),
        ])
    func hostile(request: String, status: String) async throws {
        let node = FakeNode()
        try await withSocketPath { path in
            try await withServer(of: node, at: path) { client in
                let answer = try await raw(request, to: path)
                #expect(answer.hasPrefix("HTTP/1.1 \(status) "), "\(answer.prefix(80))")
                _ = try await client.status()
            }
        }
    }

    @Test("A watcher that hangs up frees its place", .timeLimit(.minutes(1)))
    func hangUp() async throws {
        let node = FakeNode()
        try await withSocketPath { path in
            try await withServer(of: node, at: path) { client in
                for _ in 0..<(2 * NotifyBus.maximumWatchers) {
                    let state: BackendState = try await client.watch([.initialState]) { $0.state }
                    #expect(state == .noState)
                }
            }
        }
    }
}
