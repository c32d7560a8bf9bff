import ControlMessages
package import Coordination
internal import CryptoPrimitives
package import NetTypes

/// A program asks for a token (RFC 6749 §4.4).
package struct TokenRequest: Sendable {
    package var client: String
    package var secret: String
    /// Empty: all that the client may do.
    package var scopes: [String]
    /// Empty: all of the client's.
    package var tags: [String]

    package init(client: String, secret: String, scopes: [String] = [], tags: [String] = []) {
        self.client = client
        self.secret = secret
        self.scopes = scopes
        self.tags = tags
    }
}

package enum TokenReply: Equatable, Sendable {
    case token(String, lifetime: Nanoseconds, scopes: [ClientRecord.Scope])
    /// One answer for unknown, wrong, revoked and expired.
    case invalidClient
    case invalidScope
    case wait(Nanoseconds)
}

/// Why a key is not made.
package enum KeyRefusal: Error, Equatable, Sendable {
    case notPermitted
    case tagsNeeded
    case tagsNotPermitted([String])
    case lifetime
    case tooMany
    case unknownKey

    package var text: String {
        switch self {
        case .notPermitted: "the token does not permit that"
        case .tagsNeeded: "a key of this client needs tags"
        case .tagsNotPermitted(let tags):
            "the client may not give these tags: \(tags.joined(separator: ", "))"
        case .lifetime: "expirySeconds is between 1 and 7776000"
        case .tooMany: "the client has as many usable keys as it may have"
        case .unknownKey: "there is no such key"
        }
    }
}

/// A key to be made for machines.
package struct KeyRequest: Sendable {
    package var isReusable = false
    package var isEphemeral = false
    package var isPreApproved = false
    package var tags: [String] = []
    /// In seconds; nil for ninety days.
    package var lifetime: Int?
    package init() {}
}

extension SignInDesk {
    private static var useGranularity: Nanoseconds { .minutes(5) }
    private static var longestKeyLifetime: Int { 90 * 86_400 }
    private static var keysPerClient: Int { 1000 }

    package mutating func token(
        _ request: TokenRequest, from address: IPAddress?, in state: CoordinationState,
        at now: Moment, random: inout some RandomNumberGenerator
    ) -> Decision<TokenReply> {
        let place = Throttle.place(address)
        let keys: [Throttle.Key] = [
            .nameAndPlace(Throttle.hash(name: request.client), place), .place(place),
        ]
        if let pause = throttle.reserve(keys, at: now.monotonic) { return Decision(.wait(pause)) }
        let stranger = Initiator(.stranger, address: address)
        guard var client = state.client(name: request.client) else {
            // What was typed as an ID may be a secret, so it is not kept.
            return Self.refusedToken(stranger, "unknown client", "no such client", at: now)
        }
        let object = "client \(client.name)"
        let shown = PreAuthKeyRecord.hash(of: request.secret).array
        let expected = client.secretHash.array
        guard unsafe constantTimeEqual(shown.span.bytes, expected.span.bytes) else {
            return Self.refusedToken(stranger, object, "wrong secret", at: now)
        }
        throttle.succeed(keys)
        guard client.isLive(at: now.wall), let user = state.users[client.user],
            !user.isSuspended
        else {
            return Self.refusedToken(
                Initiator(.client, name: client.name, address: address), object,
                "revoked, expired, or its user is suspended", at: now)
        }
        let scopes =
            request.scopes.isEmpty
            ? client.scopes : client.scopes.filter { request.scopes.contains($0.rawValue) }
        let known = Set(scopes.map(\.rawValue))
        let foreign = request.tags.filter { !client.tags.contains($0) }
        guard !scopes.isEmpty, request.scopes.allSatisfy({ known.contains($0) }), foreign.isEmpty
        else { return Decision(.invalidScope) }
        let grant = ClientGrant(
            client: client.number, scopes: scopes,
            tags: request.tags.isEmpty ? client.tags : request.tags)
        let token = tokens.add(grant, at: now.monotonic, random: &random)
        var changes: [Change] = []
        if client.lastUsed.map({ now.wall - $0 >= Self.useGranularity }) ?? true {
            client.lastUsed = now.wall
            changes = [.client(client)]
        }
        return Decision(
            .token(token, lifetime: tokens.lifetime, scopes: scopes), changes: changes)
    }

    private static func refusedToken(
        _ initiator: Initiator, _ object: String, _ detail: String, at now: Moment
    ) -> Decision<TokenReply> {
        let entry = AuditEntry(
            time: now.wall, by: initiator, .clientToken, object, isRefused: true, detail: detail)
        return Decision(.invalidClient, changes: [.audit(entry)])
    }

    /// The client behind a token, if both are still good.
    package func client(
        token: String, in state: CoordinationState, at now: Moment
    ) -> (record: ClientRecord, grant: ClientGrant)? {
        guard let grant = tokens.grant(token, at: now.monotonic),
            let client = state.clients[grant.client], client.isLive(at: now.wall),
            state.users[client.user]?.isSuspended == false
        else { return nil }
        return (client, grant)
    }

    /// Makes a key for machines. The reply has its text, which is not kept and never shown again.
    package func makeKey(
        _ request: KeyRequest, for client: ClientRecord, _ grant: ClientGrant,
        in coordinator: borrowing Coordinator, at now: Moment,
        random: inout some RandomNumberGenerator
    ) throws(KeyRefusal) -> Decision<(record: PreAuthKeyRecord, text: String)> {
        guard grant.scopes.contains(.authKeys), let user = coordinator.state.users[client.user]
        else { throw .notPermitted }
        if !grant.tags.isEmpty, request.tags.isEmpty { throw .tagsNeeded }
        let foreign = request.tags.filter { !grant.tags.contains($0) }
        guard foreign.isEmpty else { throw .tagsNotPermitted(foreign) }
        let lifetime = request.lifetime ?? Self.longestKeyLifetime
        guard (1...Self.longestKeyLifetime).contains(lifetime) else { throw .lifetime }
        let usable = coordinator.state.preAuthKeys(of: client.number).count {
            $0.isUsable(at: now.wall)
        }
        guard usable < Self.keysPerClient else { throw .tooMany }
        var options = Coordinator.PreAuthKeyOptions()
        options.isReusable = request.isReusable
        options.isEphemeral = request.isEphemeral
        options.isPreApproved = request.isPreApproved
        options.tags = request.tags
        options.expiry = now.wall + .seconds(Int64(lifetime))
        options.client = client.number
        do throws(AdministrationRefusal) {
            return try coordinator.createPreAuthKey(
                user: user.name, options, at: now.wall, random: &random)
        } catch {
            throw .notPermitted
        }
    }

    /// Makes a key of the client's own useless.
    package func revokeKey(
        _ id: PreAuthKeyID, for client: ClientRecord, _ grant: ClientGrant,
        in state: CoordinationState
    ) throws(KeyRefusal) -> Decision<Void> {
        guard grant.scopes.contains(.authKeys) else { throw .notPermitted }
        guard let key = state.preAuthKeys[id], key.client == client.number else {
            throw .unknownKey
        }
        return Decision((), changes: key.isRevoked ? [] : [key.revocation])
    }
}
