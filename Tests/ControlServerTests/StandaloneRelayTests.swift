import ControlClient
import ControlMessages
import CryptoPrimitives
import DERP
import Glibc
import Logging
import NIOCore
import NIOPosix
import NetTypes
import Testing

@testable import ControlServer

@Suite(.timeLimit(.minutes(1))) struct StandaloneRelayTests {
    private let group = MultiThreadedEventLoopGroup.singleton
    private let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private func question(_ url: String, isOpen: Bool = true) throws -> AdmissionQuestion {
        try AdmissionQuestion(url, isOpen: isOpen, trustFile: nil, group: group, logger: quiet)
    }

    @Test func theCoordinationServerSaysWhoMayUseTheRelay() async throws {
        let server = try await TestServer()
        let node = try TestNode("a", port: server.server.port)
        let key = try await server.authKey()
        _ = try await node.client.register(node.registration(authKey: key))
        let asked = try question("http://127.0.0.1:\(server.server.port)/verify", isOpen: false)
        let known = await asked.admits(node.nodeKey.publicKey, .v4(.loopback))
        let stranger = await asked.admits(PrivateKey<NodeKind>().publicKey, nil)
        #expect(known && !stranger)
        await asked.shutDown()
        await node.client.close()
        await server.stop()
    }

    @Test(arguments: [true, false])
    func whileNobodyAnswersTheSettingDecides(isOpen: Bool) async throws {
        // Nobody listens on port 1 of the loopback interface.
        let asked = try question("http://127.0.0.1:1/verify", isOpen: isOpen)
        let isServed = await asked.admits(PrivateKey<NodeKind>().publicKey, nil)
        #expect(isServed == isOpen)
        await asked.shutDown()
    }

    @Test func anAnswerThatSaysNothingIsNone() async throws {
        let server = try await TestServer()
        let asked = try question("http://127.0.0.1:\(server.server.port)/robots.txt")
        let answer = await asked.ask(PrivateKey<NodeKind>().publicKey, nil)
        #expect(answer == .none)
        await asked.shutDown()
        await server.stop()
    }

    @Test func aRelayAnswersItsPagesAndNoOthers() async throws {
        var configuration = ServerConfiguration()
        configuration.listen = Endpoint(.v4(.loopback), port: 8080)
        let relay = try await StandaloneRelay(
            configuration, settings: RelaySettings(key: PrivateKey()), version: "7", port: 0,
            group: group, logger: quiet)
        for (path, status) in [
            ("/derp/probe", "200"), ("/generate_204", "204"), ("/health", "200"),
            ("/key?v=113", "404"), ("/derp", "426"),
        ] {
            let answer = try await RawClient(port: relay.port).exchange(
                "GET \(path) HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            #expect(answer.hasPrefix("HTTP/1.1 \(status) "), "\(path): \(answer)")
        }
        await relay.shutDown()
    }

    @Test func aMeshKeyFileThatOthersMayReadIsRefused() throws {
        let path = "/tmp/skein-mesh-key-\(UInt64.random(in: .min ... .max))"
        defer { unlink(path) }
        var configuration = ServerConfiguration.Relay()
        configuration.meshKeyFile = path
        let text = String(repeating: "ab", count: 32) + "\n"
        for (text, mode, reason) in [
            (text, 0o644, "chmod 600"), ("abcd\n", 0o600, "64 hexadecimal"), (text, 0o600, nil),
        ] as [(String, mode_t, String?)] {
            #expect(write(text, to: path, mode: mode))
            do {
                let settings = try RelaySettings(key: PrivateKey(), configuration)
                #expect(reason == nil && settings.mesh != nil)
                #expect(!"\(settings)".contains("abab"))
            } catch {
                #expect("\(error)".contains(reason ?? "never"), "\(error)")
            }
        }
    }

    private func write(_ text: String, to path: String, mode: mode_t) -> Bool {
        guard let file = fopen(path, "w") else { return false }
        defer { fclose(file) }
        return fputs(text, file) >= 0 && chmod(path, mode) == 0
    }
}
