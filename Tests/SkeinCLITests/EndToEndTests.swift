import ControlMessages
import FakeNode
import Foundation
import LocalAPI
import Logging
import NIOPosix
import NetTypes
import SkeinCLI
import Synchronization
import Testing

private final class Captured: Sendable {
    let text = Mutex("")
    func append(_ more: String) { text.withLock { $0 += more } }
    var value: String { text.withLock { $0 } }
}

private struct Outcome: Equatable {
    var status: Int32
    var output: String
    var errors: String
}

/// The command line and the socket, with a fake node behind them.
private struct Setup: Sendable {
    let node: FakeNode
    let path: String

    func skein(_ arguments: String...) async -> Outcome {
        let output = Captured()
        let errors = Captured()
        let terminal = Terminal(
            isInteractive: false, write: { output.append($0) }, writeError: { errors.append($0) })
        let status = await Terminal.$current.withValue(terminal) {
            await SkeinCommand.run(["--socket", path] + arguments)
        }
        return Outcome(status: status, output: output.value, errors: errors.value)
    }
}

private func withNode(_ body: (Setup) async throws -> Void) async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString.prefix(8))
    defer { try? FileManager.default.removeItem(at: folder) }
    let setup = Setup(node: FakeNode(), path: folder.appending(path: "s").path)
    let server = try await LocalServer.bind(
        path: setup.path, node: setup.node, version: "1", group: .singleton,
        logger: Logger(label: "test"))
    try await withThrowingTaskGroup { group in
        group.addTask { try await server.run() }
        try await body(setup)
        group.cancelAll()
    }
}

@Suite("The command line against a node", .timeLimit(.minutes(1))) struct EndToEndTests {
    @Test("up with a key logs in, and resets nothing that is not named")
    func upWithKey() async throws {
        try await withNode { setup in
            await setup.node.with {
                $0.status.backendState = .needsLogin
                $0.settings.hostname = "kept"
            }
            let up = await setup.skein(
                "up", "--login-server", "https://mesh.example", "--auth-key", "k1",
                "--accept-routes")
            #expect(up == Outcome(status: 0, output: "", errors: ""))
            let settings = await setup.node.settings
            #expect(settings.hostname == "kept" && settings.acceptsDNS && settings.acceptsRoutes)
            #expect(settings.wantsRunning && settings.controlURL == "https://mesh.example")
            #expect(await setup.node.calls.last == "start k1")
            // Running already: nothing is asked again.
            #expect(await setup.skein("up").status == 0)
            #expect(await setup.node.calls.filter { $0.hasPrefix("start") }.count == 1)
        }
    }

    @Test("up without a key shows the page to open, and ends when somebody opened it")
    func upInBrowser() async throws {
        try await withNode { setup in
            await setup.node.with {
                $0.status.backendState = .needsLogin
                $0.settings.controlURL = "https://mesh.example"
            }
            async let up = setup.skein("up", "--json")
            while await !setup.node.calls.contains("login") { await Task.yield() }
            await setup.node.finishLogin()
            let outcome = await up
            #expect(outcome.status == 0)
            #expect(
                outcome.output == """
                    {"AuthURL":"https://mesh.example/register/abc","BackendState":"NeedsLogin"}
                    {"BackendState":"Running","State":"Running"}

                    """)
        }
    }

    @Test("A refused key ends up with the reason, and the key is not shown")
    func refusedKey() async throws {
        try await withNode { setup in
            await setup.node.with {
                $0.status.backendState = .needsLogin
                $0.refusal = NodeControlError(.conflict, "the key was used already")
            }
            let up = await setup.skein(
                "up", "--login-server=https://mesh.example", "--authkey=secret")
            #expect(
                up == Outcome(status: 1, output: "", errors: "skein: the key was used already\n"))
        }
    }

    @Test("up gives up after its time and says why")
    func timeout() async throws {
        try await withNode { setup in
            await setup.node.with {
                $0.status.backendState = .needsLogin
                $0.stateAfterLogin = .starting
                $0.status.health = ["mesh.example does not answer"]
            }
            let up = await setup.skein(
                "up", "--login-server=https://mesh.example", "--auth-key=k", "--timeout=200ms")
            #expect(up.status == 1)
            #expect(up.errors.contains("mesh.example does not answer"))
        }
    }

    @Test("up without a server asks for one")
    func noServer() async throws {
        try await withNode { setup in
            let up = await setup.skein("up", "--auth-key", "k")
            #expect(up.status == 1 && up.errors.contains("--login-server"))
        }
    }

    @Test("status tells people and scripts, and its status says whether the tunnel is up")
    func status() async throws {
        try await withNode { setup in
            await setup.node.with { $0.status.backendState = .stopped }
            let stopped = await setup.skein("status")
            #expect(stopped.status == 1 && stopped.output == "Skein is stopped: skein up\n")
            await setup.node.with {
                $0.status.backendState = .running
                $0.status.addresses = [IPAddress("100.64.0.1")!, IPAddress("fd7a::1")!]
                $0.status.own.addresses = $0.status.addresses
                $0.status.own.hostName = "laptop"
            }
            #expect(
                await setup.skein("status")
                    == Outcome(status: 0, output: "100.64.0.1  laptop  -  -  -\n", errors: ""))
            let json = await setup.skein("status", "--json", "--peers=false")
            let parsed = try Status(jsonBytes: Array(json.output.utf8))
            #expect(parsed.addresses.count == 2)
            #expect(await setup.skein("ip", "-6").output == "fd7a::1\n")
            #expect(await setup.skein("ip").output == "100.64.0.1\nfd7a::1\n")
            #expect(await setup.skein("ip", "-4", "laptop").output == "100.64.0.1\n")
            #expect(await setup.skein("ip", "-4", "-6").status == 64)
        }
    }

    @Test("ping shows the way of each answer and stops when it is direct")
    func ping() async throws {
        try await withNode { setup in
            let address = IPAddress("100.64.0.2")!
            var relayed = PingResult(address: address)
            relayed.nodeName = "desktop"
            relayed.nodeAddress = address
            relayed.relayCode = "skein"
            relayed.latencySeconds = 0.02
            let first = relayed
            await setup.node.with { $0.pings = [first] }
            let once = await setup.skein("ping", "-c", "1", "100.64.0.2")
            #expect(once.output == "pong from desktop (100.64.0.2) via relay(skein) in 20ms\n")
            #expect(once.errors == "skein: direct connection not established\n")
            #expect(once.status == 1)
            #expect(
                await setup.skein("ping", "-c", "1", "--until-direct=false", "100.64.0.2").status
                    == 0)
            relayed.endpoint = Endpoint("192.0.2.7:41641")
            let direct = relayed
            await setup.node.with { $0.pings = [direct] }
            #expect(
                await setup.skein("ping", "100.64.0.2")
                    == Outcome(
                        status: 0,
                        output: "pong from desktop (100.64.0.2) via 192.0.2.7:41641 in 20ms\n",
                        errors: ""))
            #expect(await setup.skein("ping", "nobody").status == 1)
        }
    }

    @Test("whois, netcheck, set, down, logout and debug reach the node")
    func others() async throws {
        try await withNode { setup in
            let key = NodeKey(Bytes32(Array(repeating: 7, count: 32)))
            await setup.node.with {
                var node = Node(
                    id: NodeID(4), stableID: "n4", name: "desktop.mesh.example.", user: UserID(1),
                    key: key)
                node.addresses = [IPPrefix("100.64.0.2/32")!]
                $0.machines[.address(IPAddress("100.64.0.2")!)] = WhoIs(
                    node: node,
                    user: UserProfile(
                        id: UserID(1), loginName: "ann@example.org", displayName: "Ann"))
                $0.status.haveNodeKey = true
            }
            #expect(
                await setup.skein("whois", "100.64.0.2:22").output == """
                    Machine:
                      Name:       desktop.mesh.example
                      ID:         n4
                      Addresses:  100.64.0.2
                    User:
                      Name:       ann@example.org
                      ID:         1

                    """)
            #expect(await setup.skein("whois", "100.64.0.3").status == 1)
            #expect(await setup.skein("netcheck").output.hasPrefix("Report:\n"))
            #expect(await setup.skein("netcheck", "--json").output.contains("\"UDP\": false"))
            #expect(await setup.skein("set").status == 64)
            #expect(await setup.skein("set", "--hostname", "new").status == 0)
            #expect(await setup.node.settings.hostname == "new")
            #expect(await setup.skein("down").status == 0)
            #expect(await setup.node.status.backendState == .stopped)
            #expect(await setup.skein("logout").status == 0)
            #expect(await setup.skein("debug").output.contains("help"))
            #expect(await setup.skein("debug", "nothing").status == 1)
            #expect(await setup.skein("debug", "prefs").output.contains("\"Hostname\": \"new\""))
        }
    }

    @Test("Without a daemon every command says how to start one")
    func noDaemon() async {
        let setup = Setup(node: FakeNode(), path: "/nonexistent/skein.sock")
        let outcome = await setup.skein("status")
        #expect(outcome.status == 1 && outcome.output.isEmpty)
        #expect(outcome.errors.contains("sudo skein daemon"))
    }

    @Test("Help is no failure; a command line that makes no sense is one")
    func usage() async {
        let setup = Setup(node: FakeNode(), path: "/nonexistent/skein.sock")
        let help = await setup.skein("up", "--help")
        #expect(help.status == 0 && help.output.contains("--login-server"))
        #expect(await setup.skein("dance").status == 64)
        #expect(await setup.skein("daemon", "--tun", "much-too-long-a-name").status == 64)
        let version = await setup.skein("version", "--json")
        #expect(version.status == 0 && version.output.contains(SkeinVersion.text))
    }
}
