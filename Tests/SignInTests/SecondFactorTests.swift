import ControlMessages
import Coordination
import NetTypes
import SignIn
import Testing

@Suite struct SecondFactorTests {
    @Test("After the password comes the code")
    func code() throws {
        let test = TestDesk()
        let (secret, codes) = test.setUpCodes(of: "anna", test.visitor(1))
        #expect(codes.count == 10 && Set(codes).count == 10)
        test.advance(.minutes(1))
        let id = try #require(test.signIn("anna", test.visitor(2)).secondFactor)
        let signedIn = try #require(test.answer(id, test.code(secret), test.visitor(2)).signedIn)
        #expect(test.state.sessions[signedIn.session]?.factors == ["password", "one-time code"])
        // The attempt is over.
        #expect(test.answer(id, test.code(secret), test.visitor(2)).refusal == .attemptGone)
    }

    @Test("A code is good once, in another browser too")
    func replay() throws {
        let test = TestDesk()
        let (secret, _) = test.setUpCodes(of: "anna", test.visitor(1))
        // The code of the set-up is spent.
        var id = try #require(test.signIn("anna", test.visitor(2)).secondFactor)
        #expect(test.answer(id, test.code(secret), test.visitor(2)).refusal == .wrongCode)
        test.advance(.seconds(30))
        let code = test.code(secret)
        #expect(test.answer(id, code, test.visitor(2)).signedIn != nil)
        id = try #require(test.signIn("anna", test.visitor(3)).secondFactor)
        #expect(test.answer(id, code, test.visitor(3)).refusal == .wrongCode)
        // Nor is one from before the last that was used.
        #expect(
            test.answer(id, test.code(secret, steps: -1), test.visitor(3)).refusal == .wrongCode)
        #expect(test.answer(id, test.code(secret, steps: 1), test.visitor(3)).signedIn != nil)
    }

    @Test("A recovery code is good once, however it is typed")
    func recovery() throws {
        let test = TestDesk()
        let (_, codes) = test.setUpCodes(of: "anna", test.visitor(1))
        var id = try #require(test.signIn("anna", test.visitor(2)).secondFactor)
        let typed = codes[3].uppercased().replacing("-", with: " ")
        #expect(test.answer(id, typed, test.visitor(2)).signedIn != nil)
        #expect(test.state.accounts[UserID(1)]?.recoveryCodes.count == 9)
        #expect(test.audit.contains { $0.action == .recoveryCodeUsed && $0.detail == "9 left" })
        id = try #require(test.signIn("anna", test.visitor(2)).secondFactor)
        #expect(test.answer(id, codes[3], test.visitor(2)).refusal == .wrongCode)
        #expect(test.answer(id, codes[4], test.visitor(2)).signedIn != nil)
    }

    @Test("Guessing codes is slowed down, and new sign-ins do not make it faster")
    func guessing() throws {
        let test = TestDesk()
        let (secret, _) = test.setUpCodes(of: "anna", test.visitor(1))
        test.advance(.minutes(1))
        var id = try #require(test.signIn("anna", test.visitor(2)).secondFactor)
        for _ in 0..<5 {
            #expect(test.answer(id, "000000", test.visitor(2)).refusal == .wrongCode)
        }
        #expect(test.answer(id, "000000", test.visitor(2)).refusal == .wait(.seconds(30)))
        id = try #require(test.signIn("anna", test.visitor(3)).secondFactor)
        #expect(test.answer(id, "000000", test.visitor(3)).refusal == .wait(.seconds(30)))
        // Who has the password cannot keep the user out of a browser they know.
        id = try #require(test.signIn("anna", test.visitor(1)).secondFactor)
        #expect(test.answer(id, test.code(secret), test.visitor(1)).signedIn != nil)
    }

    @Test("Where everybody needs a second factor, it is set up before the first session")
    func required() throws {
        let test = TestDesk { $0.requiresSecondFactor = true }
        let visitor = test.visitor(1)
        let id = try #require(test.signIn("anna", visitor).setUp)
        #expect(
            test.shown(id, test.visitor(2)) == nil)
        let shown = try #require(
            test.shown(id, visitor))
        let secret = decodeBase32(shown.secret)
        #expect(secret.count == 20)
        #expect(shown.address.hasPrefix("otpauth://totp/Skein:anna?secret=\(shown.secret)"))
        #expect(test.confirm(id, "123456", visitor).refusal == .wrongCode)
        #expect(test.state.accounts[UserID(1)]?.oneTimeCodes == nil)
        // Going on without the set-up leads nowhere.
        #expect(test.goOn(id, visitor).refusal == .attemptGone)
        let (same, codes) = try #require(test.confirm(id, test.code(secret), visitor).recovery)
        #expect(codes.count == 10)
        #expect(test.state.sessions.isEmpty)
        #expect(test.goOn(same, visitor).signedIn != nil)
        #expect(test.goOn(same, visitor).refusal == .attemptGone)
        #expect(test.audit.contains { $0.action == .secondFactorSetUp })
    }

    @Test("An attempt is of no use in another browser, nor after ten minutes")
    func bound() throws {
        let test = TestDesk()
        let (secret, _) = test.setUpCodes(of: "anna", test.visitor(1))
        test.advance(.minutes(1))
        let id = try #require(test.signIn("anna", test.visitor(2)).secondFactor)
        #expect(test.answer(id, test.code(secret), test.visitor(3)).refusal == .attemptGone)
        test.advance(.minutes(10))
        #expect(test.answer(id, test.code(secret), test.visitor(2)).refusal == .attemptGone)
    }

    @Test("An administrator takes a lost second factor away")
    func reset() throws {
        let test = TestDesk()
        let (_, codes) = test.setUpCodes(of: "anna", test.visitor(1))
        let anna = try #require(test.state.user(name: "anna"))
        test.store(test.desk.accounts.removeSecondFactor(of: anna, in: test.state))
        #expect(test.state.accounts[anna.id]?.recoveryCodes == [])
        #expect(test.signIn("anna", test.visitor(1)).signedIn != nil)
        #expect(test.audit.contains { $0.action == .secondFactorRemoved })
        #expect(!test.audit.contains { entry in codes.contains { "\(entry)".contains($0) } })
    }

    @Test("New recovery codes make the old useless")
    func renewed() throws {
        let test = TestDesk()
        let (_, old) = test.setUpCodes(of: "anna", test.visitor(1))
        let anna = try #require(test.state.user(name: "anna"))
        let new = test.store(
            test.desk.accounts.renewRecoveryCodes(
                of: anna, in: test.state, random: &test.random))
        let id = try #require(test.signIn("anna", test.visitor(2)).secondFactor)
        #expect(test.answer(id, old[0], test.visitor(2)).refusal == .wrongCode)
        #expect(test.answer(id, new[0], test.visitor(2)).signedIn != nil)
    }
}
