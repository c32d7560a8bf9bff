import ControlMessages
import Coordination
import CryptoPrimitives
import NetTypes
import SignIn
import Testing

@Suite struct PasswordTests {
    @Test("The right password begins a session for what it was typed for")
    func signIn() throws {
        let test = TestDesk()
        let purpose = SignInPurpose.device(PendingLoginID("abc"))
        let signedIn = try #require(
            test.signIn("anna", test.visitor(1), for: purpose).signedIn)
        #expect(signedIn.purpose == purpose)
        let session = try #require(
            test.session(signedIn.token))
        #expect(session.user.name == "anna")
        #expect(session.record.factors == ["password"])
        #expect(session.record.address == "203.0.113.1")
        #expect(session.record.browser == "Browser 1")
        #expect(test.audit.last?.action == .signIn && test.audit.last?.isRefused == false)
    }

    @Test("Nothing tells an unknown user from a wrong password, or from a user without one")
    func noEnumeration() {
        let test = TestDesk()
        for (number, name) in ["anna", "ben", "nobody", "", "ä\u{0}<", "' OR 1=1"].enumerated() {
            let visitor = test.visitor(UInt8(number + 1))
            #expect(test.signIn(name, "wrong", visitor).refusal == .wrongNameOrPassword)
            // The same work in any case: a hash of the same cost is compared.
            guard
                case .check(let check) = test.desk.beginPassword(
                    name, for: .account, visitor, in: test.state, at: test.now)
            else {
                Issue.record("a second try is free")
                continue
            }
            #expect(!PasswordHash.isOutdated(check.hash, cost: .least))
        }
        #expect(test.audit.filter(\.isRefused).count == 6)
        #expect(test.audit.allSatisfy { !"\($0)".contains("OR 1=1") })
    }

    @Test("Unknown names are slowed down as known ones are")
    func sameThrottle() {
        let test = TestDesk()
        for name in ["anna", "nobody"] {
            let visitor = test.visitor(name == "anna" ? 1 : 2)
            let refusals = (0..<8).map { _ in test.signIn(name, "wrong", visitor).refusal }
            #expect(refusals.prefix(5).allSatisfy { $0 == .wrongNameOrPassword })
            #expect(refusals.suffix(3).allSatisfy { $0 == .wait(.seconds(2)) })
        }
    }

    @Test("Pauses double up to a quarter of an hour, and all is forgotten in time")
    func pauses() {
        let test = TestDesk()
        let visitor = test.visitor(1)
        for _ in 0..<5 { _ = test.signIn("anna", "wrong", visitor) }
        var pauses: [Int64] = []
        for _ in 0..<12 {
            guard case .wait(let pause)? = test.signIn("anna", "wrong", visitor).refusal else {
                Issue.record("no pause")
                return
            }
            pauses.append(pause.count / 1_000_000_000)
            test.advance(pause)
            #expect(test.signIn("anna", "wrong", visitor).refusal == .wrongNameOrPassword)
        }
        #expect(pauses == [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900])
        test.advance(.minutes(61))
        #expect(test.signIn("anna", visitor).signedIn != nil)
    }

    @Test("Many tries at once gain nothing")
    func concurrentTries() {
        let test = TestDesk()
        let visitor = test.visitor(1)
        let questions = (0..<20).map { _ in
            test.desk.beginPassword("anna", for: .account, visitor, in: test.state, at: test.now)
        }
        let checks = questions.count { if case .check = $0 { true } else { false } }
        #expect(checks == 5)
    }

    @Test("A stranger cannot lock a user out")
    func noLockOut() throws {
        let test = TestDesk()
        let home = test.visitor(1)
        #expect(test.signIn("anna", home).signedIn != nil)
        // A botnet: many addresses, each with its free tries.
        for number in 10..<60 {
            for _ in 0..<6 { _ = test.signIn("anna", "wrong", test.visitor(UInt8(number))) }
        }
        // Another address that was never used must wait a little now, some minutes at most.
        guard case .wait(let pause)? = test.signIn("anna", test.visitor(99)).refusal else {
            Issue.record("guessing from everywhere is not slowed down")
            return
        }
        #expect(pause <= Nanoseconds.minutes(5))
        // The browser at home is not held up, wherever it is, and strangers at its address do not count.
        for _ in 0..<10 { _ = test.signIn("anna", "wrong", test.visitor(2, from: "203.0.113.1")) }
        #expect(test.signIn("anna", home).signedIn != nil)
        #expect(test.signIn("anna", test.visitor(1, from: "198.51.100.7")).signedIn != nil)
    }

    @Test("An IPv6 network counts as one place")
    func ipv6Place() {
        let test = TestDesk()
        let refusals = (1...6).map { number in
            test.signIn("anna", "wrong", test.visitor(UInt8(number), from: "2001:db8::\(number)"))
                .refusal
        }
        #expect(refusals.last == .wait(.seconds(2)))
    }

    @Test("A password whose hash is of another cost is hashed anew when it is typed")
    func renewal() throws {
        let test = TestDesk()
        let old = PasswordHash.Cost(passes: 2, memory: 8192)
        test.setPassword(of: "anna", cost: old)
        let before = test.state.accounts[UserID(1)]
        #expect(test.signIn("anna", test.visitor(1)).signedIn != nil)
        let after = try #require(test.state.accounts[UserID(1)])
        #expect(after.password != before?.password)
        #expect(after.passwordChanged == before?.passwordChanged)
        let hash = try #require(test.passwordHash(of: UserID(1)))
        #expect(!PasswordHash.isOutdated(hash, cost: .least))
        #expect(test.signIn("anna", test.visitor(1)).signedIn != nil)
    }

    @Test("A password that was changed while it was compared is not the one that counts")
    func changedMeanwhile() {
        let test = TestDesk()
        let visitor = test.visitor(1)
        guard
            case .check(let check) = test.desk.beginPassword(
                "anna", for: .account, visitor, in: test.state, at: test.now)
        else {
            Issue.record("no check")
            return
        }
        test.setPassword(of: "anna", "another password")
        let decision = test.desk.finishPassword(
            check, PasswordOutcome(matches: true), visitor, in: test.state, at: test.now,
            random: &test.random)
        #expect(decision.reply.refusal == .wrongNameOrPassword)
    }

    @Test("Who was given a password chooses another before anything else")
    func temporary() throws {
        let test = TestDesk()
        test.setPassword(of: "ben", "given-to-ben", temporary: true)
        let visitor = test.visitor(1)
        let id = try #require(test.signIn("ben", "given-to-ben", visitor).choosePassword)
        #expect(test.state.sessions.isEmpty)
        let hash = try #require(PasswordHash.make("chosen by ben", cost: .least))
        let stolen = test.store(
            test.desk.choosePassword(
                id, hash: hash, test.visitor(2), in: test.state, at: test.now,
                random: &test.random))
        #expect(stolen.refusal == .attemptGone)
        let step = test.store(
            test.desk.choosePassword(
                id, hash: hash, visitor, in: test.state, at: test.now, random: &test.random))
        #expect(step.signedIn != nil)
        #expect(test.signIn("ben", "given-to-ben", visitor).refusal == .wrongNameOrPassword)
        #expect(test.signIn("ben", "chosen by ben", visitor).signedIn != nil)
    }

    @Test(
        "Passwords that would be guessed are refused",
        arguments: [
            ("short", false), ("eleven char", false), ("twelve chars", true),
            ("aaaaaaaaaaaaaaaaa", false), ("abcdabcdabcdabcd", false),
            ("I am Anna, really", false), (String(repeating: "long ", count: 300), false),
            ("äöüß€äöüß€äö", true),
        ])
    func policy(text: String, isAccepted: Bool) {
        let accounts = TestDesk().desk.accounts
        #expect((accounts.problem(withPassword: text, of: "anna") == nil) == isAccepted)
    }

    @Test("Nobody signs in while local accounts are off")
    func off() {
        let test = TestDesk { $0.hasLocalAccounts = false }
        #expect(test.signIn("anna", test.visitor(1)).refusal == .wrongNameOrPassword)
    }
}
