import ControlClient
import ControlMessages
import Foundation
import NIOCore
import NIOPosix
import NIOSSL
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

    /// The certificates that the server shows in TLS, in DER.
    private func chain(port: Int) async throws -> [[UInt8]] {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.applicationProtocols = ["http/1.1"]
        let context = try NIOSSLContext(configuration: configuration)
        let shown = MultiThreadedEventLoopGroup.singleton.next().makePromise(of: [[UInt8]].self)
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    let handler = try NIOSSLClientHandler(
                        context: context, serverHostname: "localhost",
                        customVerificationCallback: { certificates, verdict in
                            shown.completeWith(
                                Result { try certificates.map { try $0.toDERBytes() } })
                            verdict.succeed(.certificateVerified)
                        })
                    try channel.pipeline.syncOperations.addHandler(handler)
                    return channel
                }
            }
        let chain = try await shown.futureResult.get()
        try await channel.close()
        return chain
    }

    @Test("The relay's key is in the chain, for clients that log in with their first bytes")
    func metaCertificate() async throws {
        let test = try await server("server.pem")
        let key = try #require(test.relayKey)
        let chain = try await chain(port: test.server.port)
        let meta = try #require(chain.last)
        let name = Array("derpkey\(Hexadecimal.encode(key.bytes.array))".utf8)
        #expect(chain.count >= 2)
        #expect(meta.indices.contains { meta[$0...].starts(with: name) })
        // Version 3, and the protocol's version as serial number.
        #expect(meta.indices.contains { meta[$0...].starts(with: [0xA0, 3, 2, 1, 2, 2, 1, 2]) })
        // Ed25519 (RFC 8410 §3).
        #expect(meta.indices.contains { meta[$0...].starts(with: [6, 3, 0x2B, 0x65, 0x70]) })
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
