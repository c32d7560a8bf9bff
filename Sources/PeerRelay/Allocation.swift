internal import CryptoPrimitives
internal import Disco
internal import NetTypes

/// Two clients who may meet at the relay, named by their disco keys in ascending order.
struct ClientPair: Hashable {
    let first: DiscoKey
    let second: DiscoKey

    /// Nil unless there are two different ones.
    init?(_ clients: [DiscoKey]) {
        guard clients.count == 2, clients[0] != clients[1], !clients[0].isZero, !clients[1].isZero
        else { return nil }
        first = min(clients[0], clients[1])
        second = max(clients[0], clients[1])
    }

    var list: [DiscoKey] { [first, second] }
}

/// A pair's way through the relay.
struct Allocation {
    let clients: ClientPair
    /// Who asked for it, and against whose limit it counts.
    let requester: DiscoKey
    let virtualNetwork: UInt32
    let lamportID: UInt64
    var sides: (Side, Side)
    /// When the clients were last told of it, while not both are bound.
    var offeredAt: MonotonicInstant
    /// The last packet of either client.
    var lastSeenAt: MonotonicInstant

    /// What is known of one client.
    struct Side {
        let client: DiscoKey
        let box: DiscoBox
        /// Where it is, as it has proven.
        var endpoint: Endpoint?
        /// Of the binding that was last challenged; 0 for none.
        var challenged: UInt32 = 0
        /// Of the latest bindings that succeeded: none may be used for another address.
        var used: [UInt32] = []
        /// Bounds the challenges that somebody else could make us send by repeating a message.
        var budget = Budget()

        static var usedMax: Int { 8 }
    }

    /// Allows ten things at once and ten more in each second.
    struct Budget {
        private var fullAt = MonotonicInstant(nanoseconds: 0)

        mutating func take(at now: MonotonicInstant) -> Bool {
            let from = max(fullAt, now)
            guard from - now <= .milliseconds(900) else { return false }
            fullAt = from + .milliseconds(100)
            return true
        }
    }

    var isBound: Bool { sides.0.endpoint != nil && sides.1.endpoint != nil }

    func isExpired(at now: MonotonicInstant, _ limits: PeerRelayLimits) -> Bool {
        isBound
            ? now - lastSeenAt > limits.steadyStateLifetime : now - offeredAt > limits.bindLifetime
    }

    /// The bound address of the client that is not bound to `source`; nil when no client is.
    @inline(__always)
    func otherEnd(of source: Endpoint) -> Endpoint? {
        if sides.0.endpoint == source { return sides.1.endpoint }
        if sides.1.endpoint == source { return sides.0.endpoint }
        return nil
    }

    mutating func update<Result>(_ client: DiscoKey, _ body: (inout Side) -> Result) -> Result? {
        if client == clients.first { return body(&sides.0) }
        if client == clients.second { return body(&sides.1) }
        return nil
    }

    func other(than client: DiscoKey) -> DiscoKey {
        client == clients.first ? clients.second : clients.first
    }
}
