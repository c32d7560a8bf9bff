import ControlMessages
import Coordination
import NetTypes
import SignIn
import Testing

@Suite struct SessionTests {
    private func begin(_ test: TestDesk, _ number: UInt8 = 1) throws -> SignedIn {
        try #require(test.signIn("anna", test.visitor(number)).signedIn)
    }
    private func isAlive(_ token: String, _ test: TestDesk) -> Bool {
        test.session(token) != nil
    }

    @Test("A session ends when it is not used")
    func idle() throws {
        let test = TestDesk()
        let token = try begin(test).token
        test.advance(.minutes(12 * 60 - 1))
        let session = try #require(test.session(token))
        test.store(test.desk.use(session.record, at: test.now))
        test.advance(.minutes(12 * 60 - 1))
        #expect(isAlive(token, test))
        test.advance(.minutes(1))
        #expect(!isAlive(token, test))
        test.store(test.desk.handleTimeout(in: test.state, at: test.now))
        #expect(test.state.sessions.isEmpty)
    }

    @Test("A session ends after a week, however much it is used")
    func absolute() throws {
        let test = TestDesk()
        let token = try begin(test).token
        for _ in 0..<27 {
            test.advance(.minutes(6 * 60))
            let session = try #require(test.session(token))
            test.store(test.desk.use(session.record, at: test.now))
        }
        test.advance(.minutes(6 * 60))
        #expect(!isAlive(token, test))
    }

    @Test("Use is stored now and then, not each time")
    func use() throws {
        let test = TestDesk()
        let token = try begin(test).token
        test.advance(.minutes(4))
        let session = try #require(test.session(token))
        #expect(test.use(session).changes.isEmpty)
        test.advance(.minutes(1))
        #expect(test.use(session).changes.count == 1)
    }

    @Test(
        "Only the cookie opens a session",
        arguments: [
            "", "x", String(repeating: "0", count: 64), String(repeating: "ä", count: 32),
        ])
    func noToken(text: String) throws {
        let test = TestDesk()
        let signedIn = try begin(test)
        #expect(!isAlive(text, test))
        // Not even its name in the database.
        #expect(!isAlive(signedIn.session.text, test))
    }

    @Test("Nothing of what is stored or logged contains a secret")
    func nothingStored() throws {
        let test = TestDesk()
        let (secret, codes) = test.setUpCodes(of: "anna", test.visitor(1))
        let signedIn = try #require(
            test.signIn("anna", test.visitor(2)).secondFactor
                .map { test.answer($0, codes[0], test.visitor(2)) }?.signedIn)
        let stored = test.log.map { String(decoding: $0.jsonBytes, as: UTF8.self) }.joined()
        let secrets =
            [password, signedIn.token, Base32.encode(secret), Hexadecimal.encode(secret), "argon2"]
            + codes + codes.map { $0.replacing("-", with: "") }
        for text in secrets { #expect(!stored.contains(text)) }
    }

    @Test("What is sealed for one user opens for no other")
    func sealedInPlace() throws {
        let test = TestDesk()
        var stolen = try #require(test.state.accounts[UserID(1)])
        stolen.user = UserID(2)
        test.store(Decision((), changes: [.account(stolen)]))
        #expect(test.signIn("ben", test.visitor(1)).refusal == .wrongNameOrPassword)
        #expect(test.passwordHash(of: UserID(2)) == nil)
    }

    @Test("A user has so many sessions, and the oldest ends first")
    func bounded() throws {
        let test = TestDesk { $0.sessionsPerUser = 3 }
        var tokens: [String] = []
        for number in 1...5 {
            tokens.append(try begin(test, UInt8(number)).token)
            test.advance(.seconds(1))
        }
        #expect(tokens.map { isAlive($0, test) } == [false, false, true, true, true])
        #expect(test.state.sessions(of: UserID(1)).count == 3)
    }

    @Test("Suspending ends sessions, expires nodes and revokes keys at once")
    func suspension() throws {
        let test = TestDesk()
        test.setPassword(of: "ben")
        let token = try #require(test.signIn("ben", test.visitor(1)).signedIn).token
        let key = test.store(
            try test.coordinator.createPreAuthKey(
                user: "ben", .init(), at: test.now.wall, random: &test.random))
        var node = NodeRecord(
            id: NodeID(1), machineKey: MachineKey(Bytes32([UInt8](repeating: 1, count: 32))),
            nodeKey: NodeKey(Bytes32([UInt8](repeating: 2, count: 32))), name: "web",
            created: test.now.wall, registration: .signIn)
        node.user = UserID(2)
        test.store(Decision((), changes: [.node(node)]))
        test.store(try test.coordinator.suspendUser(name: "ben", at: test.now.wall))
        #expect(!isAlive(token, test))
        #expect(test.state.nodes[NodeID(1)]?.isExpired(at: test.now.wall) == true)
        #expect(test.state.preAuthKey(text: key.text)?.isRevoked == true)
        // The right password says why, a wrong one does not.
        #expect(test.signIn("ben", test.visitor(1)).refusal == .suspended)
        #expect(test.signIn("ben", "wrong", test.visitor(1)).refusal == .wrongNameOrPassword)
        #expect(throws: AdministrationRefusal.userSuspended("ben")) {
            _ = try test.coordinator.disableExpiry(ofNode: "web")
        }
        test.store(try test.coordinator.resumeUser(name: "ben"))
        #expect(test.signIn("ben", test.visitor(1)).signedIn != nil)
        let actions = test.audit.map(\.action)
        #expect(actions.contains(.userSuspended) && actions.contains(.nodeExpiryChanged))
        #expect(actions.contains(.userResumed))
    }

    @Test("The last owner stays")
    func lastOwner() throws {
        let test = TestDesk()
        #expect(throws: AdministrationRefusal.lastOwner("anna")) {
            _ = try test.coordinator.setRole(ofUser: "anna", to: .member)
        }
        #expect(throws: AdministrationRefusal.lastOwner("anna")) {
            _ = try test.coordinator.suspendUser(name: "anna", at: test.now.wall)
        }
        #expect(throws: AdministrationRefusal.lastOwner("anna")) {
            _ = try test.coordinator.deleteUser(name: "anna")
        }
        test.store(try test.coordinator.setRole(ofUser: "ben", to: .owner))
        test.store(try test.coordinator.deleteUser(name: "anna"))
        #expect(test.state.accounts[UserID(1)] == nil)
    }
}
