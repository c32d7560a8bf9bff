package import Coordination
import CryptoPrimitives
import NetTypes

/// What a client may do with a token: no more than the client, and perhaps less.
package struct ClientGrant: Equatable, Sendable {
    package var client: ClientNumber
    package var scopes: [ClientRecord.Scope]
    package var tags: [String]
}

/// Tokens that are good for an hour, by their hashes. Not stored: after a restart clients ask anew.
///
/// Bounded: a client has so many, and in all there are so many; the oldest makes room.
struct AccessTokens: Sendable {
    private struct Entry {
        var grant: ClientGrant
        var end: MonotonicInstant
    }

    private static var capacity: Int { 4096 }
    private static var perClient: Int { 64 }

    let lifetime: Nanoseconds
    private var entries: [Bytes32: Entry] = [:]
    /// Oldest first.
    private var order: [Bytes32] = []

    init(lifetime: Nanoseconds) { self.lifetime = lifetime }

    var count: Int { order.count }

    mutating func add(
        _ grant: ClientGrant, at now: MonotonicInstant, random: inout some RandomNumberGenerator
    ) -> String {
        let text = SecretToken.make(random: &random)
        guard let hash = SecretToken.hash(text) else { preconditionFailure("it is a token") }
        let over = order.prefix { entries[$0].map { $0.end <= now } ?? true }
        for old in over { entries[old] = nil }
        order.removeFirst(over.count)
        let own = order.filter { entries[$0]?.grant.client == grant.client }
        if own.count >= Self.perClient, let oldest = own.first {
            remove(oldest)
        } else if order.count >= Self.capacity, let oldest = order.first {
            remove(oldest)
        }
        entries[hash] = Entry(grant: grant, end: now + lifetime)
        order.append(hash)
        return text
    }

    private mutating func remove(_ hash: Bytes32) {
        entries[hash] = nil
        order.removeAll { $0 == hash }
    }

    func grant(_ text: String, at now: MonotonicInstant) -> ClientGrant? {
        guard let hash = SecretToken.hash(text), let entry = entries[hash], now < entry.end else {
            return nil
        }
        return entry.grant
    }
}
