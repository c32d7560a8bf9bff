import ControlClient
import ControlMessages
import ControlTransport
import Coordination
import NIOCore
import NIOPosix
import NetTypes
import SignIn
import Testing

@testable import ControlServer

/// One request, one answer.
private func send(
    _ method: String, _ path: String, port: Int, headers: [String] = [], body: String = ""
) async throws -> (status: Int, head: String, body: JSONObject) {
    let lines =
        ["\(method) \(path) HTTP/1.1", "Host: 127.0.0.1", "Connection: close"] + headers
        + ["Content-Length: \(body.utf8.count)"]
    let text = lines.joined(separator: "\r\n") + "\r\n\r\n" + body
    let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .connect(host: "127.0.0.1", port: port) { channel in
            channel.eventLoop.makeCompletedFuture {
                try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
            }
        }
    let answer = try await channel.executeThenClose { inbound, outbound in
        try await outbound.write(ByteBuffer(string: text))
        var answer = ""
        for try await bytes in inbound { answer += String(buffer: bytes) }
        return answer
    }
    let end = try #require(answer.firstRange(of: "\r\n\r\n"))
    let head = String(answer[..<end.lowerBound])
    let status = Int(head.split(separator: " ")[1]) ?? 0
    let json = try JSON(parsing: Array(answer[end.upperBound...].utf8))
    return (status, head.lowercased(), json.object ?? JSONObject())
}

@Suite(.timeLimit(.minutes(2))) struct ClientAPITests {
    private func client(
        _ test: TestServer, tags: [String] = ["tag:ci"]
    ) async throws -> (id: String, secret: String) {
        _ = try? await test.server.owner.perform(by: .commandLine) { coordinator, now, _ in
            try coordinator.createUser(name: "robot", at: now.wall)
        }
        let made = try await test.server.owner.perform(by: .commandLine) {
            coordinator, now, random in
            try coordinator.createClient(
                user: "robot", purpose: "", scopes: [.authKeys], tags: tags, expiry: nil,
                at: now.wall, random: &random)
        }
        return (made.record.name, made.secret)
    }

    private static let form = "Content-Type: application/x-www-form-urlencoded"

    @Test(
        "A program gets a token by form or header, and makes a key that lets a machine in",
        arguments: [true, false])
    func whole(inHeader: Bool) async throws {
        let test = try await TestServer()
        let client = try await client(test)
        let port = test.server.port
        let basic = Base64.encode(Array("\(client.id):\(client.secret)".utf8))
        let asked = try await send(
            "POST", inHeader ? "/oauth/token" : "/api/v2/oauth/token", port: port,
            headers: [Self.form] + (inHeader ? ["Authorization: Basic \(basic)"] : []),
            body: "grant_type=client_credentials"
                + (inHeader ? "" : "&client_id=\(client.id)&client_secret=\(client.secret)"))
        #expect(asked.status == 200 && asked.head.contains("cache-control: no-store"))
        #expect(asked.body["token_type"] == .string("Bearer"))
        #expect(asked.body["expires_in"] == .number("3600"))
        #expect(asked.body["scope"] == .string("auth_keys"))
        let token = try #require(asked.body["access_token"]?.string)
        let authorization = "Authorization: Bearer \(token)"
        let made = try await send(
            "POST", "/api/v2/tailnet/-/keys", port: port, headers: [authorization],
            body: """
                {"capabilities":{"devices":{"create":{"reusable":false,"ephemeral":true,\
                "preauthorized":true,"tags":["tag:ci"]}}},"expirySeconds":600,"description":"x"}
                """)
        #expect(made.status == 200)
        let key = try #require(made.body["key"]?.string)
        let id = try #require(made.body["id"]?.string)
        let create = made.body["capabilities"]?.object?["devices"]?.object?["create"]?.object
        #expect(create?["tags"] == .array([.string("tag:ci")]))
        #expect(create?["ephemeral"] == .bool(true) && create?["reusable"] == .bool(false))
        #expect(create?["preauthorized"] == .bool(true))

        let list = try await send(
            "GET", "/api/v2/tailnet/-/keys", port: port, headers: [authorization])
        #expect(list.body["keys"]?.array?.count == 1)
        let node = try TestNode("build", port: port)
        let joined = try await node.client.register(node.registration(authKey: key))
        #expect(joined.isMachineAuthorized && joined.login.loginName == "tagged-devices")
        let entry = test.store.audit.first { $0.action == .keyCreated }
        #expect(entry?.initiator.kind == .client && entry?.initiator.name == client.id)

        // Spent, it is listed no more; revoked, it is none.
        let after = try await send(
            "GET", "/api/v2/tailnet/-/keys/\(id)", port: port, headers: [authorization])
        #expect(after.status == 404)
        await test.stop()
    }

    @Test("What is wrong with a request is said as the standard has it")
    func refused() async throws {
        let test = try await TestServer()
        let client = try await client(test)
        let port = test.server.port
        func ask(_ body: String, _ headers: [String] = []) async throws -> (Int, String) {
            let reply = try await send(
                "POST", "/oauth/token", port: port, headers: [Self.form] + headers, body: body)
            return (reply.status, reply.body["error"]?.string ?? "")
        }
        let good = "client_id=\(client.id)&client_secret=\(client.secret)"
        #expect(try await ask(good) == (400, "invalid_request"))
        #expect(
            try await ask("grant_type=password&\(good)") == (400, "unsupported_grant_type"))
        let grant = "grant_type=client_credentials"
        #expect(try await ask(grant) == (401, "invalid_client"))
        #expect(
            try await ask("\(grant)&client_id=\(client.id)&client_secret=x")
                == (401, "invalid_client"))
        #expect(try await ask("\(grant)&\(good)&scope=all") == (400, "invalid_scope"))
        let basic = Base64.encode(Array("\(client.id):\(client.secret)".utf8))
        #expect(
            try await ask("\(grant)&\(good)", ["Authorization: Basic \(basic)"])
                == (400, "invalid_request"))
        for _ in 0..<5 { _ = try await ask("\(grant)&client_id=\(client.id)&client_secret=x") }
        let slow = try await send(
            "POST", "/oauth/token", port: port, headers: [Self.form], body: "\(grant)&\(good)")
        #expect(slow.status == 429 && slow.head.contains("retry-after: "))
        for header in ["Bearer \(String(repeating: "ab", count: 32))", "Bearer x", "Basic !", "x"] {
            let reply = try await send(
                "POST", "/api/v2/tailnet/-/keys", port: port, headers: ["Authorization: \(header)"],
                body: "{}")
            #expect(reply.status == 401)
        }
        await test.stop()
    }

    @Test("A token makes the keys that its client may make, and revokes its own")
    func limits() async throws {
        let test = try await TestServer()
        let client = try await client(test)
        let port = test.server.port
        let asked = try await send(
            "POST", "/oauth/token", port: port, headers: [Self.form],
            body: "grant_type=client_credentials&client_id=\(client.id)"
                + "&client_secret=\(client.secret)")
        let token = asked.body["access_token"]?.string ?? ""
        func make(_ create: String, seconds: String = "60") async throws -> (Int, String) {
            let reply = try await send(
                "POST", "/api/v2/tailnet/-/keys", port: port,
                headers: ["Authorization: Bearer \(token)"],
                body: "{\"capabilities\":{\"devices\":{\"create\":\(create)}},"
                    + "\"expirySeconds\":\(seconds)}")
            return (reply.status, reply.body["id"]?.string ?? "")
        }
        #expect(try await make("{}").0 == 400)
        #expect(try await make("{\"tags\":[\"tag:db\"]}").0 == 403)
        #expect(try await make("{\"tags\":[\"tag:ci\"]}", seconds: "-5").0 == 400)
        #expect(try await make("{\"tags\":7}").0 == 400)
        let (status, id) = try await make("{\"tags\":[\"tag:ci\"]}")
        #expect(status == 200)
        // The field's tools send the token as the user name of HTTP Basic, too.
        let basic = Base64.encode(Array("\(token):".utf8))
        let gone = try await send(
            "DELETE", "/api/v2/tailnet/-/keys/\(id)", port: port,
            headers: ["Authorization: Basic \(basic)"])
        #expect(gone.status == 200)
        #expect(
            try await send(
                "DELETE", "/api/v2/tailnet/-/keys/9999", port: port,
                headers: ["Authorization: Bearer \(token)"]
            ).status == 404)
        #expect(test.store.audit.contains { $0.action == .keyRevoked })
        await test.stop()
    }
}
