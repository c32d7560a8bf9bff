import ControlMessages
import Coordination
import HTTPTypes
import Hummingbird
import NIOCore
import NetTypes
import SignIn

extension ClientAPI {
    /// Keys of the client whose token a request has.
    func addKeys(to router: Router<PageContext>) {
        router.post("/api/v2/tailnet/:net/keys") { request, context in
            try await answering(request, context) { client in
                try await makeKey(request, client)
            }
        }
        router.get("/api/v2/tailnet/:net/keys") { request, context in
            try await answering(request, context) { client in
                let keys = await keys(of: client)
                let list = keys.map { key in
                    JSON.object(JSONObject([.init("id", .string("\(key.id)"))]))
                }
                return json { $0.keep("keys", JSON.array(list)) }
            }
        }
        router.get("/api/v2/tailnet/:net/keys/:id") { request, context in
            let id = PreAuthKeyID(Int64(context.parameters.get("id") ?? "") ?? 0)
            return try await answering(request, context) { client in
                guard let key = await keys(of: client).first(where: { $0.id == id }) else {
                    throw KeyRefusal.unknownKey
                }
                return view(key)
            }
        }
        router.delete("/api/v2/tailnet/:net/keys/:id") { request, context in
            let id = PreAuthKeyID(Int64(context.parameters.get("id") ?? "") ?? 0)
            return try await answering(request, context) { client in
                try await owner.attend(by: client.initiator) { desk, coordinator, _, _ in
                    try desk.revokeKey(
                        id, for: client.record, client.grant, in: coordinator.state)
                }
                return json { _ in }
            }
        }
    }

    private struct Client {
        var record: ClientRecord
        var grant: ClientGrant
        var initiator: Initiator
    }

    private func answering(
        _ request: Request, _ context: PageContext, _ answer: (Client) async throws -> Response
    ) async throws -> Response {
        let token = request.headers[.authorization].flatMap { Self.bearer($0) } ?? ""
        let found = await owner.consult { desk, coordinator, now, _ in
            desk.client(token: token, in: coordinator.state, at: now)
        }
        guard let found else {
            return json(status: .unauthorized) { $0.keep("message", "the token is not valid") }
        }
        let client = Client(
            record: found.record, grant: found.grant,
            initiator: Initiator(
                .client, name: found.record.name, address: context.remoteAddress))
        do {
            return try await answer(client)
        } catch let refusal as KeyRefusal {
            let status: HTTPResponse.Status =
                switch refusal {
                case .notPermitted, .tagsNotPermitted: .forbidden
                case .tagsNeeded, .lifetime: .badRequest
                case .tooMany: .tooManyRequests
                case .unknownKey: .notFound
                }
            return json(status: status) { $0.keep("message", refusal.text) }
        } catch let error as MessageDecodingError {
            return json(status: .badRequest) {
                $0.keep("message", "the request cannot be read: \(error)")
            }
        }
    }

    private func makeKey(_ request: Request, _ client: Client) async throws -> Response {
        let bytes = try await request.body.collect(upTo: FrontHandler.bodyLimit)
        let asked = try KeyRequest(jsonBytes: Array(bytes.readableBytesView))
        let made = try await owner.attend(by: client.initiator) { desk, coordinator, now, random in
            try desk.makeKey(
                asked, for: client.record, client.grant, in: coordinator, at: now,
                random: &random)
        }
        return view(made.record, text: made.text)
    }

    private func keys(of client: Client) async -> [PreAuthKeyRecord] {
        await owner.read { coordinator, now in
            coordinator.state.preAuthKeys(of: client.record.number)
                .filter { $0.isUsable(at: now.wall) }
        }
    }

    private func view(_ key: PreAuthKeyRecord, text: String? = nil) -> Response {
        let create = JSONObject([
            .init("reusable", .bool(key.isReusable)), .init("ephemeral", .bool(key.isEphemeral)),
            .init("preauthorized", .bool(key.isPreApproved)),
            .init("tags", .array(key.tags.map { .string($0) })),
        ])
        let devices = JSONObject([.init("create", .object(create))])
        return json { writer in
            writer.keep("id", "\(key.id)")
            if let text { writer.keep("key", text) }
            writer.keep("keyType", "auth")
            writer.keep("created", key.created)
            writer.omit("expires", key.expiry)
            writer.keep(
                "capabilities", JSON.object(JSONObject([.init("devices", .object(devices))])))
        }
    }
}
