import ControlMessages
import Coordination
import NetTypes
import SignIn
import Testing

extension TestDesk {
    func client(
        user: String = "anna", scopes: [ClientRecord.Scope] = [.authKeys],
        tags: [String] = ["tag:ci"], expiry: Timestamp? = nil
    ) -> (record: ClientRecord, secret: String) {
        store(
            try! coordinator.createClient(
                user: user, purpose: "CI", scopes: scopes, tags: tags, expiry: expiry,
                at: now.wall, random: &random))
    }

    func token(_ request: TokenRequest, from address: String = "192.0.2.1") -> TokenReply {
        store(
            desk.token(
                request, from: IPAddress(address), in: state, at: now, random: &random))
    }

    func token(
        _ client: (record: ClientRecord, secret: String), scopes: [String] = [],
        tags: [String] = []
    ) -> String {
        guard
            case .token(let text, _, _) = token(
                TokenRequest(
                    client: client.record.name, secret: client.secret, scopes: scopes, tags: tags))
        else { return "" }
        return text
    }

    func grant(_ token: String) -> (record: ClientRecord, grant: ClientGrant)? {
        desk.client(token: token, in: state, at: now)
    }

    func makeKey(
        _ token: String, _ edit: (inout KeyRequest) -> Void = { $0.tags = ["tag:ci"] }
    ) throws -> (record: PreAuthKeyRecord, text: String) {
        var request = KeyRequest()
        edit(&request)
        let (client, grant) = grant(token)!
        return store(
            try desk.makeKey(
                request, for: client, grant, in: coordinator, at: now, random: &random))
    }
}

@Suite struct ClientTests {
    @Test("A client gets a token for an hour, and keys with it")
    func whole() throws {
        let test = TestDesk()
        let client = test.client()
        let reply = test.token(
            TokenRequest(client: client.record.name, secret: client.secret))
        guard case .token(let token, let lifetime, let scopes) = reply else {
            Issue.record("a token is given: \(reply)")
            return
        }
        #expect(lifetime == .minutes(60) && scopes == [.authKeys])
        #expect(test.state.clients[client.record.number]?.lastUsed == test.now.wall)
        let key = try test.makeKey(token) {
            $0.tags = ["tag:ci"]
            $0.isEphemeral = true
            $0.isReusable = true
            $0.isPreApproved = true
            $0.lifetime = 3600
        }
        #expect(key.record.tags == ["tag:ci"] && key.record.isEphemeral && key.record.isReusable)
        #expect(key.record.isPreApproved && key.record.client == client.record.number)
        #expect(key.record.expiry == test.now.wall + .seconds(3600))
        #expect(test.state.preAuthKey(text: key.text) == key.record)
        #expect(try PreAuthKeyRecord(jsonBytes: key.record.jsonBytes) == key.record)
        let stored = try #require(test.state.clients[client.record.number])
        #expect(try ClientRecord(jsonBytes: stored.jsonBytes) == stored)
        test.advance(.minutes(60))
        #expect(test.grant(token) == nil)
    }

    @Test("Unknown, wrong, revoked and expired look alike, and the log tells them apart")
    func refused() throws {
        let test = TestDesk()
        let client = test.client(expiry: test.now.wall + .minutes(30))
        let revoked = test.client()
        let token = test.token(revoked)
        let key = try test.makeKey(token)
        test.store(try test.coordinator.revokeClient(revoked.record.name))
        #expect(test.grant(token) == nil)
        #expect(test.state.preAuthKeys[key.record.id]?.isRevoked == true)
        func ask(_ name: String, _ secret: String, from address: String) -> TokenReply {
            test.token(TokenRequest(client: name, secret: secret), from: address)
        }
        #expect(ask("skein-client-nobody", "x", from: "192.0.2.2") == .invalidClient)
        #expect(ask(client.record.name, revoked.secret, from: "192.0.2.3") == .invalidClient)
        #expect(ask(revoked.record.name, revoked.secret, from: "192.0.2.4") == .invalidClient)
        test.advance(.minutes(30))
        #expect(ask(client.record.name, client.secret, from: "192.0.2.5") == .invalidClient)
        let entries = test.audit.filter { $0.action == .clientToken }
        #expect(
            entries.map(\.detail) == [
                "no such client", "wrong secret", "revoked, expired, or its user is suspended",
                "revoked, expired, or its user is suspended",
            ])
        #expect(entries.allSatisfy { $0.isRefused })
        #expect(entries[0].object == "unknown client")
    }

    @Test("Guessing is slowed down, and does not hold up the client elsewhere")
    func throttled() {
        let test = TestDesk()
        let client = test.client()
        var waits = 0
        for _ in 0..<10 {
            let reply = test.token(TokenRequest(client: client.record.name, secret: "guess"))
            if case .wait = reply { waits += 1 }
        }
        #expect(waits == 5)
        let elsewhere = test.token(
            TokenRequest(client: client.record.name, secret: client.secret), from: "192.0.2.9")
        if case .token = elsewhere {} else { Issue.record("a token elsewhere: \(elsewhere)") }
    }

    @Test("A token may do less than its client, never more")
    func narrowed() throws {
        let test = TestDesk()
        let client = test.client(tags: ["tag:ci", "tag:web"])
        let request = { (scopes: [String], tags: [String]) in
            TokenRequest(
                client: client.record.name, secret: client.secret, scopes: scopes, tags: tags)
        }
        #expect(test.token(request(["devices:core"], [])) == .invalidScope)
        #expect(test.token(request(["auth_keys", "all"], [])) == .invalidScope)
        #expect(test.token(request([], ["tag:db"])) == .invalidScope)
        let token = test.token(client, tags: ["tag:web"])
        #expect(throws: KeyRefusal.tagsNotPermitted(["tag:ci"])) {
            try test.makeKey(token) { $0.tags = ["tag:ci"] }
        }
        #expect(throws: KeyRefusal.tagsNeeded) { try test.makeKey(token) { $0.tags = [] } }
        #expect(try test.makeKey(token) { $0.tags = ["tag:web"] }.record.tags == ["tag:web"])
        for lifetime in [-1, 90 * 86_400 + 1] {
            #expect(throws: KeyRefusal.lifetime) {
                try test.makeKey(token) {
                    $0.tags = ["tag:web"]
                    $0.lifetime = lifetime
                }
            }
        }
        let reader = test.client(scopes: [.authKeysRead])
        #expect(throws: KeyRefusal.notPermitted) { try test.makeKey(test.token(reader)) }
    }

    @Test("A client's keys are its own, and bounded in number")
    func keys() throws {
        let test = TestDesk()
        let (first, second) = (test.client(), test.client())
        let key = try test.makeKey(test.token(first))
        let (record, grant) = test.grant(test.token(second))!
        #expect(throws: KeyRefusal.unknownKey) {
            try test.desk.revokeKey(key.record.id, for: record, grant, in: test.state)
        }
        let token = test.token(second)
        for _ in 0..<1000 { _ = try test.makeKey(token) }
        #expect(throws: KeyRefusal.tooMany) { try test.makeKey(token) }
        let (own, ownGrant) = test.grant(test.token(first))!
        test.store(try test.desk.revokeKey(key.record.id, for: own, ownGrant, in: test.state))
        #expect(test.state.preAuthKeys[key.record.id]?.isRevoked == true)
    }

    @Test("Whoever answers for a client takes it along: suspended, deleted")
    func owner() throws {
        let test = TestDesk()
        let client = test.client(user: "ben", tags: [])
        let token = test.token(client)
        #expect(try test.makeKey(token) { $0.tags = [] }.record.user == client.record.user)
        test.store(try test.coordinator.suspendUser(name: "ben", at: test.now.wall))
        #expect(test.grant(token) == nil && test.token(client).isEmpty)
        test.store(try test.coordinator.resumeUser(name: "ben"))
        test.store(try test.coordinator.deleteUser(name: "ben"))
        #expect(test.state.clients[client.record.number] == nil)
        #expect(test.state.client(name: client.record.name) == nil)
        #expect(test.audit.contains { $0.action == .clientRemoved })
    }

    @Test("Nothing stored or logged contains a secret")
    func secrets() throws {
        let test = TestDesk()
        let client = test.client()
        let token = test.token(client)
        let key = try test.makeKey(token)
        _ = test.token(TokenRequest(client: client.secret, secret: client.record.name))
        let all = test.log.map { String(decoding: $0.jsonBytes, as: UTF8.self) }.joined()
        for secret in [client.secret, token, key.text] {
            #expect(!secret.isEmpty && !all.contains(secret))
        }
        #expect(all.contains(client.record.name))
    }
}
