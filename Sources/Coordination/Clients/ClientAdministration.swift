import ControlMessages
import CryptoPrimitives
package import NetTypes

extension Coordinator {
    /// Makes a client. The reply has its secret, which is not kept and never shown again.
    package func createClient(
        user name: String, purpose: String, scopes: [ClientRecord.Scope], tags: [String],
        expiry: Timestamp?, at now: Timestamp, random: inout some RandomNumberGenerator
    ) throws(AdministrationRefusal) -> Decision<(record: ClientRecord, secret: String)> {
        let user = try user(named: name)
        guard !user.isSuspended else { throw .userSuspended(name) }
        if let tag = tags.first(where: { !Self.isTag($0) }) { throw .invalidTag(tag) }
        if let expiry, expiry <= now { throw .expiryInThePast }
        let id = "skein-client-" + Hexadecimal.encode(random.bytes(count: 6))
        let secret = id + "-" + Hexadecimal.encode(random.bytes(count: 32))
        let client = ClientRecord(
            number: ClientNumber(state.highest.client + 1), name: id,
            secretHash: PreAuthKeyRecord.hash(of: secret), user: user.id,
            purpose: String(purpose.prefix(100)), scopes: scopes,
            tags: tags.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }, created: now,
            expiry: expiry)
        return Decision((client, secret), changes: [.client(client)])
    }

    /// Makes a client useless, and the keys that it made: whoever has its secret may have them, too.
    /// Machines that are in stay. `text` is its ID or number.
    package func revokeClient(
        _ text: String
    ) throws(AdministrationRefusal) -> Decision<ClientRecord> {
        let match = Int64(text).flatMap { state.clients[ClientNumber($0)] }
        guard var client = match ?? state.client(name: text) else { throw .unknownClient(text) }
        guard !client.isRevoked else { return Decision(client) }
        client.isRevoked = true
        let keys = state.preAuthKeys(of: client.number).filter { !$0.isRevoked }
        return Decision(client, changes: [.client(client)] + keys.map { $0.revocation })
    }
}

extension PreAuthKeyRecord {
    /// The change that makes it useless for new nodes.
    package var revocation: Change {
        var key = self
        key.isRevoked = true
        return .preAuthKey(key)
    }
}
