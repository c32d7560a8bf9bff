import ControlClient
import ControlMessages
import Foundation
import NetTypes
import Testing

@testable import ControlServer

@Suite(.timeLimit(.minutes(1))) struct TLSTests {
    private func fixture(_ name: String) -> String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Fixtures/tls/\(name)").path
    }

    private func server(_ certificate: String) async throws -> TestServer {
        try await TestServer {
            $0.certificate = .init(
                certificate: fixture(certificate), key: fixture("server.key"))
        }
    }

    @Test("A certificate of a known authority for the right name is accepted")
    func accepted() async throws {
        let test = try await server("server.pem")
        let key = try await test.authKey()
        for host in ["localhost", "127.0.0.1"] {
            let node = try TestNode(
                "alpha", port: test.server.port, scheme: "https", host: host,
                trust: .systemAndFile(fixture("ca.pem")))
            let reply = try await node.client.register(node.registration(authKey: key))
            #expect(reply.error == "" || host == "127.0.0.1")
            await node.client.close()
        }
        await test.stop()
    }

    @Test("A certificate of an unknown authority is refused")
    func unknownAuthority() async throws {
        let test = try await server("server.pem")
        let node = try TestNode("alpha", port: test.server.port, scheme: "https", host: "localhost")
        let url = try ServerURL("https://localhost:\(test.server.port)")
        await #expect(throws: ControlClientError.tls(url, .untrustedCertificate)) {
            _ = try await node.client.register(node.registration())
        }
        await test.stop()
    }

    @Test("A certificate for another name is refused")
    func wrongName() async throws {
        let test = try await server("other.pem")
        let node = try TestNode(
            "alpha", port: test.server.port, scheme: "https", host: "localhost",
            trust: .systemAndFile(fixture("ca.pem")))
        let url = try ServerURL("https://localhost:\(test.server.port)")
        await #expect(throws: ControlClientError.tls(url, .wrongName)) {
            _ = try await node.client.register(node.registration())
        }
        await test.stop()
    }

    @Test("Plain HTTP towards a TLS port says what to write instead")
    func plainToTLS() async throws {
        let test = try await server("server.pem")
        let node = try TestNode("alpha", port: test.server.port)
        do {
            _ = try await node.client.register(node.registration())
            Issue.record("no error")
        } catch {
            #expect("\(error)".contains("https://"))
        }
        await test.stop()
    }

    @Test("Unusable certificate files are named")
    func unusable() async throws {
        let key = fixture("server.key")
        await #expect(
            throws: ControlServerError.certificate(
                path: "/nonexistent.pem", reason: "it is no readable PEM file")
        ) {
            _ = try await TestServer {
                $0.certificate = .init(certificate: "/nonexistent.pem", key: key)
            }
        }
        #expect(throws: TrustError.self) {
            _ = try TestNode(
                "alpha", port: 1, scheme: "https", trust: .systemAndFile("/nonexistent.pem"))
        }
    }
}
