import ControlMessages
import ControlTransport
import Coordination
import HTTPTypes
import Hummingbird
import NIOCore
import NetTypes
import SignIn
import WebForms

/// Where programs get tokens (RFC 6749 §4.4) and make keys with them, in the form that the field's tools
/// know.
struct ClientAPI: Sendable {
    let owner: CoordinationOwner

    func add(to router: Router<PageContext>) {
        for path in ["/oauth/token", "/api/v2/oauth/token"] as [RouterPath] {
            router.post(path) { request, context in try await token(request, context) }
        }
        addKeys(to: router)
    }

    /// A name and a secret, wherever they stand in a request.
    struct Credentials: Equatable {
        var client: String
        var secret: String
    }

    private func token(_ request: Request, _ context: PageContext) async throws -> Response {
        let bytes = try await request.body.collect(upTo: FrontHandler.bodyLimit)
        let form = FormFields(urlEncoded: String(buffer: bytes))
        let header = request.headers[.authorization]
        guard form["grant_type"] == "client_credentials" else {
            return failure(
                form["grant_type"].isEmpty ? "invalid_request" : "unsupported_grant_type")
        }
        let inHeader = header.flatMap { Self.basic($0) }
        // Whoever says it twice may mean two things (RFC 6749 §2.3).
        guard header == nil || form["client_secret"].isEmpty else {
            return failure("invalid_request")
        }
        let credentials =
            inHeader
            ?? Credentials(client: form["client_id"], secret: form["client_secret"])
        guard !credentials.client.isEmpty, !credentials.secret.isEmpty else {
            return failure("invalid_client", status: .unauthorized)
        }
        let asked = TokenRequest(
            client: credentials.client, secret: credentials.secret,
            scopes: Self.words(form["scope"]), tags: Self.words(form["tags"]))
        let initiator = Initiator(.stranger, address: context.remoteAddress)
        let reply = try await owner.attend(by: initiator) { desk, coordinator, now, random in
            desk.token(
                asked, from: context.remoteAddress, in: coordinator.state, at: now,
                random: &random)
        }
        switch reply {
        case .token(let text, let lifetime, let scopes):
            return json { writer in
                writer.keep("access_token", text)
                writer.keep("token_type", "Bearer")
                writer.keep("expires_in", lifetime.count / 1_000_000_000)
                writer.keep("scope", scopes.map(\.rawValue).joined(separator: " "))
            }
        case .invalidClient: return failure("invalid_client", status: .unauthorized)
        case .invalidScope: return failure("invalid_scope")
        case .wait(let pause):
            var response = failure("slow_down", status: .tooManyRequests)
            let seconds = max(1, (pause.count + 999_999_999) / 1_000_000_000)
            response.headers[.retryAfter] = "\(seconds)"
            return response
        }
    }

    /// HTTP Basic, whose parts are encoded as those of forms (RFC 6749 §2.3.1).
    static func basic(_ header: String) -> Credentials? {
        let parts = header.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "basic",
            let bytes = Base64.decode(parts[1]),
            let text = String(validating: bytes, as: UTF8.self)
        else { return nil }
        let sides = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard sides.count == 2 else { return nil }
        let decoded = sides.map { FormFields.decoded($0) }
        return Credentials(client: decoded[0], secret: decoded[1])
    }

    /// The token of a request: behind `Bearer`, or as the user name of HTTP Basic.
    static func bearer(_ header: String) -> String? {
        let parts = header.split(separator: " ", maxSplits: 1)
        guard parts.count == 2 else { return nil }
        if parts[0].lowercased() == "bearer" { return String(parts[1]) }
        return basic(header).map(\.client)
    }

    private static func words(_ text: String) -> [String] {
        text.split { $0 == " " || $0 == "," }.prefix(64).map { String($0) }
    }

    // MARK: Answers

    func json(
        status: HTTPResponse.Status = .ok, _ write: (inout JSONWriter) -> Void
    ) -> Response {
        var writer = JSONWriter()
        writer.object(write)
        return Response(
            status: status,
            headers: [
                .contentType: "application/json", .cacheControl: "no-store",
                .xContentTypeOptions: "nosniff",
            ],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: writer.bytes)))
    }

    /// An error of RFC 6749 §5.2.
    private func failure(
        _ code: String, status: HTTPResponse.Status = .badRequest
    ) -> Response {
        var response = json(status: status) { $0.keep("error", code) }
        if status == .unauthorized { response.headers[.wwwAuthenticate] = "Basic realm=\"skein\"" }
        return response
    }
}
