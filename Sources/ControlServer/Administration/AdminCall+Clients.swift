import ControlMessages
import Coordination
import CryptoPrimitives
import NetTypes

/// Calls about programs that make keys.
extension AdminCall {
    func client(
        _ arguments: [String], _ coordinator: inout Coordinator, _ random: inout SecureRandom
    ) throws -> Result {
        switch (request.method, arguments.count) {
        case ("GET", 0):
            return list("clients", coordinator.state.sortedClients.map { view($0, coordinator) })
        case ("POST", 0):
            let names: [String] = try request.body.read("scopes", or: [])
            let scopes = try names.map { name in
                guard let scope = ClientRecord.Scope(rawValue: name) else {
                    throw AdministrationRefusal.unknownScope(name)
                }
                return scope
            }
            let decision = try coordinator.createClient(
                user: try text("user"), purpose: try request.body.read("purpose", or: ""),
                scopes: scopes.isEmpty ? [.authKeys] : scopes,
                tags: try request.body.read("tags", or: []),
                expiry: try request.body.optional("expiration"), at: now.wall, random: &random)
            let (record, secret) = decision.reply
            return reply(
                decision, single("client", view(record, coordinator, secret: secret)))
        case ("DELETE", 1):
            let decision = try coordinator.revokeClient(arguments[0])
            return reply(decision, single("client", view(decision.reply, coordinator)))
        default: throw wrongMethod
        }
    }

    private func view(
        _ client: ClientRecord, _ coordinator: borrowing Coordinator, secret: String? = nil
    ) -> JSON {
        let state = coordinator.state
        return AdminView.client(
            client, user: state.users[client.user],
            keys: state.preAuthKeys(of: client.number).count { $0.isUsable(at: now.wall) },
            at: now.wall, secret: secret)
    }
}
