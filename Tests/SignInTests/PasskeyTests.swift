import ControlMessages
import Coordination
import CryptoPrimitives
import NetTypes
import SignIn
import SimulatedAuthenticator
import Testing
import WebAuthn

extension TestDesk {
    static func withPasskeys(
        seed: UInt64 = 1, _ edit: (inout SignInSettings) -> Void = { _ in }
    ) -> TestDesk {
        TestDesk(seed: seed) { settings in
            settings.relyingParty = RelyingParty(
                serverURL: "https://mesh.example.org", name: "Skein")
            edit(&settings)
        }
    }

    func authenticator(_ id: UInt8) -> SimulatedAuthenticator {
        SimulatedAuthenticator(
            party: "mesh.example.org", origin: "https://mesh.example.org", credential: [id, 1, 2])
    }

    func live(_ step: SignInStep) -> LiveSession {
        guard case .signedIn(let signedIn) = step, let session = session(signedIn.token) else {
            preconditionFailure("somebody signed in: \(step)")
        }
        return session
    }

    func offer(_ session: LiveSession, _ visitor: Visitor) -> PasskeyOffer? {
        desk.passkeyOffer(for: session, visitor, in: state, at: now, random: &random)
    }

    func add(
        _ response: RegistrationResponse, name: String = "", for session: LiveSession,
        _ visitor: Visitor
    ) -> PasskeyAdded {
        let addition = PasskeyAddition(
            response: response, name: name, transports: ["internal", "<b>", "hybrid"])
        return store(
            desk.addPasskey(
                addition, for: session, visitor, in: state, at: now, random: &random))
    }

    /// Signs in by password and adds the authenticator's passkey; returns the authenticator with the
    /// user's handle, and the recovery codes.
    func addPasskey(
        _ id: UInt8, of name: String, _ visitor: Visitor
    ) -> (SimulatedAuthenticator, [String]) {
        let session = live(signIn(name, visitor))
        let offer = offer(session, visitor)!
        var authenticator = authenticator(id)
        authenticator.userHandle = offer.handle
        guard
            case .added(let codes) = add(
                authenticator.register(offer.challenge), for: session, visitor)
        else { preconditionFailure("the passkey is added") }
        return (authenticator, codes)
    }

    func question(_ visitor: Visitor) -> PasskeyQuestion? {
        desk.passkeyQuestion(visitor, at: now, random: &random)
    }

    func question(_ id: AttemptID, _ visitor: Visitor) -> PasskeyQuestion? {
        desk.passkeyQuestion(for: id, visitor, in: state, at: now, random: &random)
    }

    func show(_ response: AssertionResponse, _ visitor: Visitor) -> SignInStep {
        store(
            desk.signInWithPasskey(
                response, for: .account, visitor, in: state, at: now, random: &random))
    }

    func show(_ response: AssertionResponse, for id: AttemptID, _ visitor: Visitor) -> SignInStep {
        store(
            desk.answerSecondFactor(
                id, passkey: response, visitor, in: state, at: now, random: &random))
    }

    var lastRefusal: String { audit.last { $0.isRefused }?.detail ?? "" }
}

@Suite struct PasskeyTests {
    @Test("A passkey signs in alone, in any browser, and is counted")
    func alone() throws {
        let test = TestDesk.withPasskeys()
        var (authenticator, codes) = test.addPasskey(1, of: "anna", test.visitor(1))
        #expect(codes.count == 10)
        test.advance(.minutes(1))
        let other = test.visitor(2)
        let question = try #require(test.question(other))
        #expect(question.allowed.isEmpty && question.requiresUserVerification)
        authenticator.counter = 7
        let session = test.live(test.show(authenticator.sign(question.challenge), other))
        #expect(session.user.name == "anna" && session.record.factors == ["passkey"])
        let passkey = try #require(test.state.accounts[session.user.id]?.passkeys.first)
        #expect(passkey.counter == 7 && passkey.lastUsed == test.now.wall)
        #expect(passkey.name == "Passkey 1" && passkey.transports == ["internal", "hybrid"])
        #expect(test.audit.contains { $0.action == .passkeyAdded && $0.object == "user anna" })
    }

    @Test("A challenge is good once, in one browser, for some minutes, for one purpose")
    func challenge() throws {
        let test = TestDesk.withPasskeys()
        let (authenticator, _) = test.addPasskey(1, of: "anna", test.visitor(1))
        let (here, there) = (test.visitor(2), test.visitor(3))
        let answer = authenticator.sign(test.question(here)!.challenge)
        #expect(test.show(answer, there) == .refused(.attemptGone))
        _ = test.live(test.show(answer, here))
        #expect(test.show(answer, here) == .refused(.attemptGone))
        let late = authenticator.sign(test.question(here)!.challenge)
        test.advance(.minutes(10))
        #expect(test.show(late, here) == .refused(.attemptGone))
        #expect(test.lastRefusal == "a challenge that is too old, was used, or is not ours")
        // That of a second factor is not one of a sign-in, though the account and browser are the same.
        guard case .secondFactor(let id) = test.signIn("anna", here) else {
            Issue.record("a second factor is asked for")
            return
        }
        let second = authenticator.sign(test.question(id, here)!.challenge)
        #expect(test.show(second, here) == .refused(.attemptGone))
        let first = authenticator.sign(test.question(here)!.challenge)
        #expect(test.show(first, for: id, here) == .refused(.attemptGone))
        _ = test.live(test.show(second, for: id, here))
        // A made-up challenge, and one with other bits.
        for change in [0, 20, 30] {
            var challenge = test.question(here)!.challenge
            challenge[change] ^= 1
            #expect(test.show(authenticator.sign(challenge), here) == .refused(.attemptGone))
        }
        #expect(test.show(authenticator.sign([1, 2, 3]), here) == .refused(.attemptGone))
    }

    @Test("A password needs the passkey as well, once there is one")
    func secondFactor() throws {
        let test = TestDesk.withPasskeys()
        var (authenticator, codes) = test.addPasskey(1, of: "anna", test.visitor(1))
        let visitor = test.visitor(2)
        guard case .secondFactor(let id) = test.signIn("anna", visitor) else {
            Issue.record("a second factor is asked for")
            return
        }
        let question = try #require(test.question(id, visitor))
        #expect(question.allowed.map(\.id) == [authenticator.credential])
        // As one of two factors it need not know its user.
        authenticator.flags = [.userPresent]
        let session = test.live(
            test.show(authenticator.sign(question.challenge), for: id, visitor))
        #expect(session.record.factors == ["password", "passkey"])
        // A recovery code does in its place, once.
        guard case .secondFactor(let again) = test.signIn("anna", visitor) else {
            Issue.record("a second factor is asked for")
            return
        }
        #expect(
            test.live(test.answer(again, codes[3], visitor)).record.factors.last == "recovery code")
        guard case .secondFactor(let third) = test.signIn("anna", visitor) else { return }
        #expect(test.answer(third, codes[3], visitor) == .refused(.wrongCode))
        #expect(test.answer(third, "123456", visitor) == .refused(.wrongCode))
    }

    @Test("Alone it has to know its user")
    func userVerification() {
        let test = TestDesk.withPasskeys()
        var (authenticator, _) = test.addPasskey(1, of: "anna", test.visitor(1))
        authenticator.flags = [.userPresent]
        let visitor = test.visitor(2)
        let answer = authenticator.sign(test.question(visitor)!.challenge)
        #expect(test.show(answer, visitor) == .refused(.wrongPasskey))
        #expect(test.lastRefusal.hasSuffix("did not verify its user"))
    }

    @Test("A passkey is of use for its own user only")
    func otherUser() {
        let test = TestDesk.withPasskeys()
        test.setPassword(of: "ben")
        let (anna, _) = test.addPasskey(1, of: "anna", test.visitor(1))
        var (ben, _) = test.addPasskey(2, of: "ben", test.visitor(2))
        let visitor = test.visitor(3)
        #expect(anna.userHandle != ben.userHandle)
        guard case .secondFactor(let id) = test.signIn("anna", visitor) else {
            Issue.record("a second factor is asked for")
            return
        }
        let challenge = test.question(id, visitor)!.challenge
        #expect(test.show(ben.sign(challenge), for: id, visitor) == .refused(.wrongPasskey))
        #expect(test.lastRefusal == "a passkey of another user")
        ben.userHandle = []
        #expect(test.show(ben.sign(challenge), for: id, visitor) == .refused(.wrongPasskey))
        #expect(test.lastRefusal == "a passkey that is not theirs")
        // Alone, who does not say whose it is stays outside.
        #expect(
            test.show(ben.sign(test.question(visitor)!.challenge), visitor)
                == .refused(.wrongPasskey))
        ben.userHandle = anna.userHandle
        #expect(
            test.show(ben.sign(test.question(visitor)!.challenge), visitor)
                == .refused(.wrongPasskey))
        #expect(test.lastRefusal == "a passkey of another user")
    }

    @Test("An unknown passkey looks like a bad one, and asking for it is slowed down")
    func unknown() {
        let test = TestDesk.withPasskeys()
        let (known, _) = test.addPasskey(1, of: "anna", test.visitor(1))
        let visitor = test.visitor(2)
        let unknown = test.authenticator(9)
        let challenge = test.question(visitor)!.challenge
        var bad = known.sign(challenge)
        bad.signature[10] ^= 1
        #expect(test.show(unknown.sign(challenge), visitor) == .refused(.wrongPasskey))
        #expect(test.lastRefusal == "nobody's passkey")
        #expect(test.show(bad, visitor) == .refused(.wrongPasskey))
        #expect(test.lastRefusal.hasSuffix("wrong signature"))
        var answers: Set<String> = []
        for _ in 0..<120 {
            if case .refused(.wait) = test.show(unknown.sign(challenge), visitor) {
                answers.insert("wait")
            }
        }
        #expect(answers == ["wait"])
        // Where anna has signed in before nobody is held up.
        let own = test.visitor(1, from: "203.0.113.2")
        _ = test.live(test.show(known.sign(test.question(own)!.challenge), own))
    }

    @Test("A copied authenticator is noticed by its counter")
    func copied() {
        let test = TestDesk.withPasskeys()
        var (authenticator, _) = test.addPasskey(1, of: "anna", test.visitor(1))
        let visitor = test.visitor(2)
        authenticator.counter = 5
        _ = test.live(test.show(authenticator.sign(test.question(visitor)!.challenge), visitor))
        let answer = authenticator.sign(test.question(visitor)!.challenge)
        #expect(test.show(answer, visitor) == .refused(.wrongPasskey))
        #expect(test.lastRefusal.contains("counter went back"))
    }

    @Test("A credential ID belongs to one account")
    func unique() {
        let test = TestDesk.withPasskeys()
        test.setPassword(of: "ben")
        let (authenticator, _) = test.addPasskey(1, of: "anna", test.visitor(1))
        let visitor = test.visitor(2)
        let session = test.live(test.signIn("ben", visitor))
        let offer = test.offer(session, visitor)!
        #expect(
            test.add(authenticator.register(offer.challenge), for: session, visitor)
                == .refused(.wrongPasskey))
        #expect(test.lastRefusal == "new passkey: there is one of this name")
    }

    @Test("A new passkey belongs to the session that asked for it")
    func otherSession() {
        let test = TestDesk.withPasskeys()
        let visitor = test.visitor(1)
        let first = test.live(test.signIn("anna", visitor))
        let offer = test.offer(first, visitor)!
        let second = test.live(test.signIn("anna", visitor))
        let answer = test.authenticator(1).register(offer.challenge)
        #expect(test.add(answer, for: second, visitor) == .refused(.attemptGone))
        #expect(test.add(answer, for: first, test.visitor(2)) == .refused(.attemptGone))
        #expect(test.add(answer, for: first, visitor) != .refused(.attemptGone))
        #expect(test.add(answer, for: first, visitor) == .refused(.attemptGone))
    }

    @Test("Several passkeys, each with its name; the codes go with the last")
    func several() throws {
        let test = TestDesk.withPasskeys()
        let visitor = test.visitor(1)
        let session = test.live(test.signIn("anna", visitor))
        for (id, name) in [(1, "Phone"), (2, "  "), (3, "A\nB\u{0}C")] as [(UInt8, String)] {
            let offer = try #require(test.offer(session, visitor))
            #expect(offer.existing.count == Int(id) - 1)
            let answer = test.authenticator(id).register(offer.challenge)
            #expect(test.add(answer, name: name, for: session, visitor) != .refused(.wrongPasskey))
        }
        var account: AccountRecord { test.state.accounts[session.user.id]! }
        #expect(account.passkeys.map(\.name) == ["Phone", "Passkey 2", "ABC"])
        for passkey in account.passkeys {
            #expect(account.recoveryCodes.count == 10)
            let isGone = test.store(
                test.desk.accounts.removePasskey(passkey.id, of: session.user, in: test.state))
            #expect(isGone)
        }
        #expect(account.passkeys.isEmpty && account.recoveryCodes.isEmpty)
        #expect(!account.hasSecondFactor)
        #expect(test.audit.count { $0.action == .passkeyRemoved } == 3)
        #expect(
            !test.store(
                test.desk.accounts.removePasskey([1, 1, 2], of: session.user, in: test.state)))
    }

    @Test("So many and no more")
    func many() {
        let test = TestDesk.withPasskeys { $0.passkeysPerUser = 2 }
        let visitor = test.visitor(1)
        let session = test.live(test.signIn("anna", visitor))
        let early = test.offer(session, visitor)!
        for id in [1, 2] as [UInt8] {
            let offer = test.offer(session, visitor)!
            _ = test.add(test.authenticator(id).register(offer.challenge), for: session, visitor)
        }
        #expect(test.offer(session, visitor) == nil)
        let answer = test.authenticator(3).register(early.challenge)
        #expect(test.add(answer, for: session, visitor) == .refused(.wrongPasskey))
        #expect(test.lastRefusal == "too many passkeys")
    }

    @Test("Where a second factor is required, a passkey can be the one that is set up")
    func setUp() throws {
        let test = TestDesk.withPasskeys { $0.requiresSecondFactor = true }
        let visitor = test.visitor(1)
        guard case .setUpOneTimeCodes(let id) = test.signIn("anna", visitor) else {
            Issue.record("a second factor is to be set up")
            return
        }
        let offer = try #require(
            test.desk.passkeyOffer(
                for: id, visitor, in: test.state, at: test.now, random: &test.random))
        var authenticator = test.authenticator(1)
        authenticator.userHandle = offer.handle
        let addition = PasskeyAddition(
            response: authenticator.register(offer.challenge), name: "Key", transports: [])
        let step = test.store(
            test.desk.setUpPasskey(
                id, addition, visitor, in: test.state, at: test.now, random: &test.random))
        guard case .recoveryCodes(id, let codes) = step else {
            Issue.record("recovery codes are shown")
            return
        }
        #expect(codes.count == 10)
        #expect(test.live(test.goOn(id, visitor)).record.factors == ["password", "passkey"])
        // From then on the passkey alone is two factors in one.
        let answer = authenticator.sign(test.question(visitor)!.challenge)
        _ = test.live(test.show(answer, visitor))
    }

    @Test("A suspended user stays outside, and so does one whom a provider knows")
    func suspended() throws {
        let test = TestDesk.withPasskeys()
        let (authenticator, _) = test.addPasskey(1, of: "anna", test.visitor(1))
        let visitor = test.visitor(2)
        let anna = test.state.user(name: "anna")!
        test.store(test.desk.accounts.removePassword(of: anna, in: test.state))
        #expect(test.passwordHash(of: anna.id) == nil)
        _ = test.live(test.show(authenticator.sign(test.question(visitor)!.challenge), visitor))
        test.store(
            try test.coordinator.linkUser(
                name: "anna", with: UserIdentity(provider: "work", subject: "1")))
        let answer = authenticator.sign(test.question(visitor)!.challenge)
        #expect(test.show(answer, visitor) == .refused(.wrongPasskey))
        #expect(test.lastRefusal == "a passkey alone is not enough here")
        test.setPassword(of: "anna")
        test.store(try test.coordinator.setRole(ofUser: "ben", to: .owner))
        test.store(try test.coordinator.suspendUser(name: "anna", at: test.now.wall))
        let late = authenticator.sign(test.question(visitor)!.challenge)
        #expect(test.show(late, visitor) == .refused(.suspended))
    }

    @Test("Where there are none, none are asked for")
    func off() {
        let test = TestDesk()
        #expect(test.question(test.visitor(1)) == nil)
        let answer = test.authenticator(1).sign([UInt8](repeating: 1, count: 56))
        #expect(test.show(answer, test.visitor(1)) == .refused(.wrongPasskey))
        let closed = TestDesk.withPasskeys { $0.hasLocalAccounts = false }
        #expect(closed.question(closed.visitor(1)) == nil)
    }

    @Test("An account with passkeys is stored and read again")
    func stored() throws {
        let test = TestDesk.withPasskeys()
        _ = test.addPasskey(1, of: "anna", test.visitor(1))
        let account = try #require(test.state.accounts.values.first { !$0.passkeys.isEmpty })
        #expect(try AccountRecord(jsonBytes: account.jsonBytes) == account)
        #expect(test.state.account(passkey: [1, 1, 2]) == account)
        #expect(test.state.account(passkey: [1, 1, 3]) == nil)
    }
}
