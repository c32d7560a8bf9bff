package import ControlMessages
package import Coordination
package import CryptoPrimitives
import NetTypes
package import SignIn

/// The answer to an administrator's request: an HTTP status and a JSON body.
package struct AdminReply: Equatable, Sendable {
    package var status: Int
    package var body: JSON

    package init(status: Int = 200, _ body: JSON) {
        self.status = status
        self.body = body
    }

    static func failure(_ status: Int, _ text: String) -> Self {
        Self(status: status, .object(JSONObject([.init("error", .string(text))])))
    }
}

/// An administrator's request, in the form of HTTP.
package struct AdminRequest: Equatable, Sendable {
    package var method: String
    /// The parts of the path, percent decoded: `api`, `v1`, `node`, `7`.
    package var path: [String]
    package var body: JSONObject

    package init(method: String, path: [String], body: JSONObject = JSONObject()) {
        self.method = method
        self.path = path
        self.body = body
    }
}

/// What an administrator may do, as calls under `/api/v1` (control protocol §9.3). It listens on a
/// Unix socket that only root and the server's user can open, so there is no key to show.
package struct AdminService: Sendable {
    /// What a call does to the network.
    package struct Outcome: Sendable {
        package var reply: AdminReply
        /// To be delivered to sessions and waiting logins once the changes are stored.
        package var events: [CoordinationEvent] = []
    }
    package typealias Decide =
        @Sendable (inout Coordinator, Moment, inout SecureRandom) -> Decision<Outcome>

    private let accounts: Accounts
    private let audit: AuditReader
    private let perform: @Sendable (@escaping Decide) async throws -> AdminReply

    /// Entries of the audit log before a position, newest first, at most so many.
    package typealias AuditReader =
        @Sendable (Int64?, Int) async throws -> [(position: Int64, entry: AuditEntry)]

    /// `perform` runs a decision, stores its changes, delivers its events and returns its reply.
    package init(
        accounts: Accounts, audit: @escaping AuditReader,
        perform: @escaping @Sendable (@escaping Decide) async throws -> AdminReply
    ) {
        self.accounts = accounts
        self.audit = audit
        self.perform = perform
    }

    package func respond(to request: AdminRequest) async -> AdminReply {
        do {
            if request.path == ["api", "v1", "audit"], request.method == "GET" {
                return try await auditReply(to: request)
            }
            return try await perform { [accounts] coordinator, now, random in
                do {
                    return try AdminCall(request: request, now: now, accounts: accounts)
                        .decide(&coordinator, &random)
                } catch let error as AdminCall.Failure {
                    return Decision(Outcome(reply: .failure(error.status, error.text)))
                } catch {
                    return Decision(Outcome(reply: .failure(400, "\(error)")))
                }
            }
        } catch {
            return .failure(500, "the change was not stored: \(error)")
        }
    }

    private static var auditLimit: Int { 10_000 }

    private func auditReply(to request: AdminRequest) async throws -> AdminReply {
        do {
            let limit: Int = try request.body.read("limit", or: 100)
            let entries = try await audit(
                try request.body.optional("before"), min(max(limit, 1), Self.auditLimit))
            let views = entries.map { AdminView.audit($0.position, $0.entry) }
            return AdminReply(.object(JSONObject([.init("entries", .array(views))])))
        } catch let error as MessageDecodingError {
            return .failure(400, "the request cannot be read: \(error)")
        }
    }
}
