import ControlMessages
import NetTypes

/// What a request is answered with.
package enum LocalResponse: Sendable {
    case json([UInt8])
    case done
    case failure(status: Int, message: String)
    /// One JSON text per line, for as long as both sides want.
    case stream(AsyncStream<Notify>)
}

/// Routes requests to the node. It decides who may do what; it does no input or output.
package struct Router: Sendable {
    private let node: any NodeControl

    package init(node: any NodeControl) { self.node = node }

    static let prefix = "/localapi/v0/"

    package func respond(to request: LocalRequest, from caller: Caller) async -> LocalResponse {
        guard request.path.hasPrefix(Self.prefix) else {
            return .failure(status: 404, message: "not found")
        }
        let route = String(request.path.dropFirst(Self.prefix.count))
        let operatorUser = await node.prefs().operatorUser
        let mayChange = caller.mayChange(operatorUser: operatorUser)
        do {
            if let answer = try await look(request, route: route, mayChange: mayChange) {
                return answer
            }
            guard mayChange else {
                return .failure(
                    status: 403,
                    message:
                        "only root and the operator may do that: use sudo, or once "
                        + "'sudo skein set --operator=$USER'")
            }
            if let answer = try await change(request, route: route) { return answer }
            return .failure(status: 404, message: "not found")
        } catch {
            return .failure(status: error.status, message: error.message)
        }
    }

    /// What every user may ask. Nil when the request is none of these.
    private func look(
        _ request: LocalRequest, route: String, mayChange: Bool
    ) async throws(NodeControlError) -> LocalResponse? {
        switch (request.method, route) {
        case (.get, "status"):
            var status = await node.status(peers: request.query["peers"] != "false")
            // Who opens the page decides whose machine this becomes.
            if !mayChange { status.authURL = "" }
            return .json(status.jsonBytes)
        case (.get, "prefs"):
            return .json(await node.prefs().jsonBytes)
        case (.get, "whois"):
            guard let who = await node.whoIs(try subject(request.query["addr"] ?? "")) else {
                throw NodeControlError(.notFound, "no peer has that address")
            }
            return .json(who.jsonBytes)
        case (.get, "derpmap"):
            return .json(await node.derpMap()?.jsonBytes ?? JSON.null.jsonBytes)
        case (.post, "ping"):
            let kind = PingKind(rawValue: request.query["type"] ?? PingKind.disco.rawValue)
            guard let kind else {
                throw NodeControlError(.badRequest, "type is disco or ICMP")
            }
            guard let address = IPAddress(request.query["ip"] ?? "") else {
                throw NodeControlError(.badRequest, "ip is not an address")
            }
            return .json(try await node.ping(address, kind: kind).jsonBytes)
        case (.get, "netcheck"), (.post, "netcheck"):
            return .json(try await node.netcheck().jsonBytes)
        case (.get, "watch-ipn-bus"):
            guard let bits = UInt32(request.query["mask"] ?? "0") else {
                throw NodeControlError(.badRequest, "mask is not a number")
            }
            // Notices carry the page of a login in progress: see `status`.
            guard mayChange else { return nil }
            return .stream(await node.watch(NotifyMask(rawValue: bits)))
        default:
            return nil
        }
    }

    /// What only root and the operator may ask. Nil when there is no such route.
    private func change(
        _ request: LocalRequest, route: String
    ) async throws(NodeControlError) -> LocalResponse? {
        switch (request.method, route) {
        case (.patch, "prefs"):
            return .json(try await node.edit(try read(request, as: PrefsChange.self)).jsonBytes)
        case (.post, "start"):
            try await node.start(try read(request, as: StartOptions.self))
        case (.post, "login-interactive"):
            try await node.login()
        case (.post, "logout"):
            try await node.logout()
        case (.post, "debug"):
            return .json(try await node.debug(action: request.query["action"] ?? "").jsonBytes)
        default:
            return nil
        }
        return .done
    }

    private func read<Value: JSONReadable>(
        _ request: LocalRequest, as type: Value.Type
    ) throws(NodeControlError) -> Value {
        do {
            return try Value(
                jsonBytes: request.body.isEmpty ? Array("{}".utf8) : request.body,
                limits: JSON.Limits(byteCount: Connection.maximumBodyBytes, depth: 16))
        } catch {
            throw NodeControlError(.badRequest, error.description)
        }
    }

    /// An address, with or without a port, or a node key.
    private func subject(_ text: String) throws(NodeControlError) -> WhoIsSubject {
        if let key = NodeKey(text) { return .nodeKey(key) }
        if let address = IPAddress(text) ?? Endpoint(text)?.address { return .address(address) }
        throw NodeControlError(.badRequest, "addr is neither an address nor a node key")
    }
}

extension NodeControlError {
    var status: Int {
        switch kind {
        case .badRequest: 400
        case .notFound: 404
        case .conflict: 409
        case .unavailable: 503
        case .internalError: 500
        }
    }
}
