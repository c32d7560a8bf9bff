import Certificates
import ControlClient
import ControlMessages
import Coordination
import CryptoPrimitives
import Foundation
import LinuxIO
import MachineCertificates
import NetTypes
import Testing

@testable import ControlServer

@Suite("Machine certificates, from the node's request to the administrator's list")
struct MachineCertificateTests {
    private static let fixtures = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Fixtures/machine-certificates").path

    private func server(_ mode: MachineCertificateMode) async throws -> TestServer {
        try await TestServer {
            $0.machineCertificates.mode = mode
            $0.machineCertificates.authorities = ["\(Self.fixtures)/root.pem"]
            $0.machineCertificates.owner = OwnerRule(field: .organizationalUnit)
            $0.coordination.machineCertificates = mode
            $0.coordination.machineCertificatesNameOwners = true
        }
    }

    private func signed(
        _ request: RegisterRequest, by node: TestNode, with key: String = "p256",
        serverURL: String = "http://127.0.0.1"
    ) throws -> RegisterRequest {
        let certificates = Array(
            try Data(contentsOf: URL(filePath: "\(Self.fixtures)/\(key).pem")))
        let pem = Array(try Data(contentsOf: URL(filePath: "\(Self.fixtures)/\(key).key")))
        let identity = try MachineIdentity(
            certificates: certificates.span.bytes, key: pem.span.bytes)
        let now = Timestamp(unixSeconds: CivilTime.now().unixSeconds)
        let message = MachineSignature.signedBytes(
            .v2, timestamp: now, serverURL: serverURL, certificates: identity.certificates,
            machineKey: node.machineKey.publicKey)
        let made = identity.sign(message.span.bytes)
        var request = request
        request.machineSignature = MachineSignature(
            scheme: .v2, timestamp: now, certificates: identity.certificates,
            signature: try #require(made))
        return request
    }

    @Test("Required: a key joins with a certificate, of either kind, and not without")
    func required() async throws {
        let test = try await server(.required)
        var options = Coordinator.PreAuthKeyOptions()
        options.isReusable = true
        let key = try await test.authKey(user: "alice", options)
        for kind in ["p256", "rsa"] {
            let node = try TestNode(kind, port: test.server.port)
            let plain = node.registration(authKey: key)
            let refused = try await node.client.register(plain)
            #expect(refused.error == RegistrationRefusal.machineCertificateRequired.text)
            let elsewhere = try await node.client.register(
                signed(plain, by: node, with: kind, serverURL: "http://evil.example"))
            #expect(elsewhere.error.contains("was not signed with the certificate's key"))
            let stranger = try await node.client.register(
                signed(plain, by: TestNode("other", port: test.server.port), with: kind))
            #expect(stranger.error.contains("was not signed with the certificate's key"))
            let joined = try await node.client.register(signed(plain, by: node, with: kind))
            #expect(joined.error == "")
            #expect(joined.isMachineAuthorized)
            await node.client.close()
        }
        let subjects = await test.server.owner.read { coordinator, _ in
            coordinator.state.sortedNodes.map { $0.certificate?.subject }
        }
        #expect(subjects == Array(repeating: "O=Bücher\\, Inc,OU=alice,CN=laptop-7", count: 2))
        await test.stop()
    }

    @Test("Sufficient: the certificate's owner gets the node, without a key")
    func sufficient() async throws {
        let test = try await server(.sufficient)
        let node = try TestNode("laptop", port: test.server.port)
        let request = try signed(node.registration(), by: node)
        let early = try await node.client.register(request)
        #expect(early.error.contains("'alice'"))
        _ = try await test.authKey(user: "alice")
        let joined = try await node.client.register(request)
        #expect(joined.isMachineAuthorized)
        #expect(joined.login.loginName == "alice")
        await node.client.close()
        await test.stop()
    }

    @Test("A node whose certificate is revoked is thrown out, and the log says so once")
    func revoked() async throws {
        let list = FileManager.default.temporaryDirectory.appending(
            path: "blocked-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: list) }
        try "# none\n".write(to: list, atomically: true, encoding: .utf8)
        let test = try await TestServer {
            $0.machineCertificates.mode = .sufficient
            $0.machineCertificates.authorities = ["\(Self.fixtures)/root.pem"]
            $0.machineCertificates.owner = OwnerRule(field: .organizationalUnit)
            $0.machineCertificates.blockedKeysFile = list.path
            $0.coordination.machineCertificates = .sufficient
        }
        _ = try await test.authKey(user: "alice")
        let node = try TestNode("laptop", port: test.server.port)
        let joined = try await node.client.register(signed(node.registration(), by: node))
        #expect(joined.isMachineAuthorized)
        let sweep = try #require(test.server.revocationSweep)
        await sweep.sweep()
        func found() async -> (isExpired: Bool, key: String) {
            await test.server.owner.read { coordinator, now in
                let node = coordinator.state.sortedNodes[0]
                return (
                    node.isExpired(at: now.wall),
                    Hexadecimal.encode(node.certificate?.keyHash.array ?? [])
                )
            }
        }
        let before = await found()
        #expect(!before.isExpired)
        try "\(before.key)\n".write(to: list, atomically: true, encoding: .utf8)
        await sweep.sweep()
        #expect(await found().isExpired)
        for _ in 0..<3 {
            let again = try await node.client.register(signed(node.registration(), by: node))
            #expect(again.isNodeKeyExpired || !again.error.isEmpty)
        }
        let stranger = try TestNode("other", port: test.server.port)
        for _ in 0..<3 {
            let refused = try await stranger.client.register(
                signed(stranger.registration(), by: stranger))
            #expect(refused.error.contains("its key is blocked"))
        }
        let entries = test.store.audit.filter { $0.action == .certificateRefused }
        #expect(entries.map(\.initiator.kind) == [.server, .node])
        #expect(entries.allSatisfy { $0.isRefused })
        await node.client.close()
        await stranger.client.close()
        await test.stop()
    }

    @Test("A server does not start with files it cannot use")
    func badFiles() async throws {
        await #expect(
            throws: ControlServerError.machineCertificates(
                "/nowhere.pem: there is no such file")
        ) {
            try await TestServer {
                $0.machineCertificates.mode = .required
                $0.machineCertificates.authorities = ["/nowhere.pem"]
            }
        }
    }
}
