package import ControlMessages
package import Coordination
package import CryptoPrimitives
import NetTypes

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

    private let perform: @Sendable (@escaping Decide) async throws -> AdminReply

    /// `perform` runs a decision, stores its changes, delivers its events and returns its reply.
    package init(perform: @escaping @Sendable (@escaping Decide) async throws -> AdminReply) {
        self.perform = perform
    }

    package func respond(to request: AdminRequest) async -> AdminReply {
        do {
            return try await perform { coordinator, now, random in
                do {
                    return try AdminCall(request: request, now: now)
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
}
