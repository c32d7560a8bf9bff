import CryptoPrimitives
import JWTKit
import NIOCore
import NIOHTTP1
import NIOPosix
import NetTypes
import Synchronization
import WebForms

/// A provider of identities on a port of the loopback interface that does everything right, but for
/// what a test tells it to do wrong.
final class HostileProvider: Sendable {
    enum Claim: Encodable, Sendable {
        case text(String)
        case number(Int64)
        case list([String])
        case flag(Bool)

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            switch self {
            case .text(let text): try container.encode(text)
            case .number(let number): try container.encode(number)
            case .list(let list): try container.encode(list)
            case .flag(let flag): try container.encode(flag)
            }
        }
    }

    enum Reply: Sendable {
        case json(Int, String)
        case redirect(String)
        /// So many bytes of JSON.
        case huge(Int)
        /// A byte now and then, for ever.
        case drip
    }

    struct Tweaks: Sendable {
        /// Claims of the token in place of the right ones; nil leaves one out.
        var claims: [String: Claim?] = [:]
        var algorithm = "ES256"
        var key = TestKeys.published
        var keyID = "1"
        var keys = [TestKeys.json(TestKeys.published, id: "1"), TestKeys.rsaJSON]
        /// Members of the discovery document, as JSON.
        var document: [String: String] = [:]
        /// Replies to paths in place of the right ones.
        var replies: [String: Reply] = [:]
        var userInfo = "{\"sub\":\"7\",\"groups\":[\"dev\"]}"
        /// The header `Date` of its answers; empty: none.
        var date = ""
        /// Fields of the answer that the browser carries, in place of the right ones.
        var answer: [String: String?] = [:]
    }

    private struct Grant {
        var nonce: String
        var challenge: String
        var redirect: String
    }

    private struct State {
        var tweaks = Tweaks()
        var grants: [String: Grant] = [:]
        var nextCode = 1
        var requests: [String] = []
    }

    private let state = Mutex(State())
    private let running = Mutex<Task<Void, any Error>?>(nil)
    let port: Int

    var issuer: String { "http://127.0.0.1:\(port)" }
    /// The paths that were asked for.
    var requests: [String] { state.withLock { $0.requests } }
    func tweak(_ change: (inout Tweaks) -> Void) { state.withLock { change(&$0.tweaks) } }

    init(_ change: (inout Tweaks) -> Void = { _ in }) async throws {
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    return try NIOAsyncChannel<HTTPServerRequestPart, HTTPServerResponsePart>(
                        wrappingChannelSynchronously: channel)
                }
            }
        port = server.channel.localAddress?.port ?? 0
        state.withLock { change(&$0.tweaks) }
        let task = Task {
            try await server.executeThenClose { connections in
                try await withThrowingDiscardingTaskGroup { group in
                    for try await connection in connections {
                        group.addTask { await self.serve(connection) }
                    }
                }
            }
        }
        running.withLock { $0 = task }
    }

    func stop() async {
        let task = running.withLock { $0 }
        task?.cancel()
        _ = await task?.result
    }

    // MARK: The person's part

    /// What the browser carries back after the person agreed: path and query of the callback.
    func authorize(_ url: String) throws -> String {
        let query = FormFields(urlEncoded: url.drop { $0 != "?" }.dropFirst())
        return state.withLock { state in
            let code = "code-\(state.nextCode)"
            state.nextCode += 1
            state.grants[code] = Grant(
                nonce: query["nonce"], challenge: query["code_challenge"],
                redirect: query["redirect_uri"])
            var fields: [(name: String, value: String)] = [
                ("code", code), ("state", query["state"]),
            ]
            for (name, value) in state.tweaks.answer {
                fields.removeAll { $0.name == name }
                if let value { fields.append((name, value)) }
            }
            let path = query["redirect_uri"].split(
                separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
            return "/\(path.last ?? "")?\(FormFields.encode(fields))"
        }
    }

    // MARK: The server's part

    private func serve(
        _ connection: NIOAsyncChannel<HTTPServerRequestPart, HTTPServerResponsePart>
    ) async {
        // A client that goes away is no fault.
        try? await connection.executeThenClose { inbound, outbound in
            var head: HTTPRequestHead?
            var body = ""
            for try await part in inbound {
                switch part {
                case .head(let received):
                    head = received
                    body = ""
                case .body(let bytes): body += String(buffer: bytes)
                case .end:
                    guard let head else { return }
                    try await answer(try await reply(head, body), outbound)
                }
            }
        }
    }

    private func answer(
        _ reply: Reply, _ outbound: NIOAsyncChannelOutboundWriter<HTTPServerResponsePart>
    ) async throws {
        var head = HTTPResponseHead(version: .http1_1, status: .ok)
        head.headers = ["Content-Type": "application/json"]
        let date = state.withLock { $0.tweaks.date }
        if !date.isEmpty { head.headers.add(name: "Date", value: date) }
        switch reply {
        case .json(let status, let text):
            head.status = HTTPResponseStatus(statusCode: status)
            head.headers.add(name: "Content-Length", value: "\(text.utf8.count)")
            try await outbound.write(.head(head))
            try await outbound.write(.body(.byteBuffer(ByteBuffer(string: text))))
        case .redirect(let location):
            head.status = .temporaryRedirect
            head.headers = ["Location": location, "Content-Length": "0"]
            try await outbound.write(.head(head))
        case .huge(let count):
            try await outbound.write(.head(head))
            let chunk = ByteBuffer(repeating: UInt8(ascii: " "), count: 65_536)
            for _ in 0..<(count / chunk.readableBytes) {
                try await outbound.write(.body(.byteBuffer(chunk)))
            }
        case .drip:
            try await outbound.write(.head(head))
            while true {
                try await outbound.write(.body(.byteBuffer(ByteBuffer(string: " "))))
                // Slowness is what this provider does wrong; no test waits for it.
                try await Task.sleep(for: .milliseconds(20))
            }
        }
        try await outbound.write(.end(nil))
    }

    private func reply(_ head: HTTPRequestHead, _ body: String) async throws -> Reply {
        let tweaks = state.withLock { state in
            state.requests.append(head.uri)
            return state.tweaks
        }
        if let reply = tweaks.replies[head.uri] { return reply }
        switch head.uri {
        case "/.well-known/openid-configuration":
            var members = [
                "issuer": "\"\(issuer)\"", "authorization_endpoint": "\"\(issuer)/authorize\"",
                "token_endpoint": "\"\(issuer)/token\"", "jwks_uri": "\"\(issuer)/keys\"",
                "userinfo_endpoint": "\"\(issuer)/user\"",
            ]
            members.merge(tweaks.document) { $1 }
            let text = members.sorted { $0.key < $1.key }.map { "\"\($0.key)\":\($0.value)" }
            return .json(200, "{\(text.joined(separator: ","))}")
        case "/keys": return .json(200, "{\"keys\":[\(tweaks.keys.joined(separator: ","))]}")
        case "/token": return try await token(head, FormFields(urlEncoded: body), tweaks)
        case "/user":
            guard head.headers.first(name: "Authorization") == "Bearer access" else {
                return .json(401, "{}")
            }
            return .json(200, tweaks.userInfo)
        default: return .json(404, "{}")
        }
    }

    private func token(
        _ head: HTTPRequestHead, _ form: FormFields, _ tweaks: Tweaks
    ) async throws -> Reply {
        let grant = state.withLock { $0.grants.removeValue(forKey: form["code"]) }
        let verifier = Array(form["code_verifier"].utf8)
        let challenge = Base64.encodeURL(SHA256.hash(verifier.span.bytes).array)
        let secret = "Basic " + Base64.encode(Array("skein:hush".utf8))
        let isClient =
            head.headers.first(name: "Authorization") == secret
            || (form["client_id"] == "skein" && form["client_secret"] == "hush")
        guard let grant, grant.challenge == challenge, grant.redirect == form["redirect_uri"],
            isClient
        else { return .json(400, "{\"error\":\"invalid_grant\"}") }
        let now = ServerTime.seconds
        var claims: [String: Claim] = [
            "iss": .text(issuer), "aud": .text("skein"), "sub": .text("7"),
            "nonce": .text(grant.nonce), "iat": .number(now), "exp": .number(now + 300),
            "preferred_username": .text("cleo"), "email": .text("cleo@example.org"),
            "email_verified": .flag(true),
        ]
        for (name, value) in tweaks.claims { claims[name] = value }
        let idToken = try await Self.sign(claims, tweaks)
        return .json(
            200,
            "{\"access_token\":\"access\",\"token_type\":\"Bearer\",\"id_token\":\"\(idToken)\"}")
    }

    private struct Payload: JWTPayload {
        var claims: [String: Claim]
        init(_ claims: [String: Claim]) { self.claims = claims }
        init(from decoder: any Decoder) throws { claims = [:] }
        func encode(to encoder: any Encoder) throws { try claims.encode(to: encoder) }
        func verify(using algorithm: some JWTAlgorithm) {}
    }

    private static func sign(_ claims: [String: Claim], _ tweaks: Tweaks) async throws -> String {
        let keys = JWTKeyCollection()
        let id = JWKIdentifier(string: tweaks.keyID)
        switch tweaks.algorithm {
        case "HS256":
            // The secret is what everybody knows (algorithm confusion).
            await keys.add(
                hmac: HMACKey(from: tweaks.key.publicKey.pemRepresentation),
                digestAlgorithm: .sha256, kid: id)
        case "RS256", "PS256":
            let key = try Insecure.RSA.PrivateKey(pem: TestKeys.rsaPEM)
            if tweaks.algorithm == "RS256" {
                await keys.add(rsa: key, digestAlgorithm: .sha256, kid: id)
            } else {
                await keys.add(pss: key, digestAlgorithm: .sha256, kid: id)
            }
        default: await keys.add(ecdsa: tweaks.key, kid: id)
        }
        let token = try await keys.sign(Payload(claims), kid: id)
        guard tweaks.algorithm == "none" else { return token }
        let header = Base64.encodeURL(Array("{\"alg\":\"none\",\"kid\":\"1\"}".utf8))
        let payload = token.split(separator: ".")[1]
        return "\(header).\(payload)."
    }
}
