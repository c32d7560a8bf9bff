import ControlMessages
import Coordination
import NetTypes
import SignIn
import Testing

/// What happens behind a provider of identities, whichever it is.
@Suite struct ProviderTests {
    private func accept(
        _ test: TestDesk, subject: String, name: String, email: String = "",
        groups: [String]? = nil, _ rules: ProviderRules = ProviderRules(createsUsers: true)
    ) -> SignInStep {
        let proven = ProvenIdentity(
            provider: "corp", subject: subject, userName: name, displayName: "", email: email,
            groups: groups, factors: ["OpenID Connect"])
        return test.store(
            test.desk.accept(
                proven, rules, for: .account, test.visitor(1), in: test.state, at: test.now,
                random: &test.random))
    }

    @Test("Who is new becomes a user, and is the same one next time under any name")
    func created() throws {
        let test = TestDesk()
        let first = try #require(
            accept(test, subject: "7", name: "cleo", email: "cleo@corp", groups: ["dev"]).signedIn)
        let again = try #require(
            accept(test, subject: "7", name: "renamed", email: "new@corp").signedIn)
        #expect(first.user == again.user)
        let user = try #require(test.state.users[first.user])
        #expect(user.name == "cleo" && user.email == "new@corp" && user.groups == ["dev"])
        #expect(user.role == .member)
        #expect(test.state.sessions[again.session]?.factors == ["OpenID Connect"])
    }

    @Test("Nobody takes over a user by having the same name or e-mail address")
    func noTakeOver() throws {
        let test = TestDesk()
        let signedIn = try #require(
            accept(test, subject: "8", name: "anna", email: "anna@example.org").signedIn)
        let user = try #require(test.state.users[signedIn.user])
        #expect(user.name == "anna-2" && user.id != UserID(1) && user.role == .member)
    }

    @Test("A user is linked on purpose, and an identity has one user")
    func linked() throws {
        let test = TestDesk()
        let identity = UserIdentity(provider: "corp", subject: "9")
        test.store(try test.coordinator.linkUser(name: "ben", with: identity))
        let rules = ProviderRules(createsUsers: false)
        #expect(accept(test, subject: "9", name: "x", rules).signedIn?.user == UserID(2))
        #expect(throws: AdministrationRefusal.userExists("ben")) {
            _ = try test.coordinator.linkUser(name: "anna", with: identity)
        }
        #expect(test.audit.contains { $0.action == .identityLinked })
    }

    @Test("Who is not known stays outside where users are not made")
    func unknown() {
        let test = TestDesk()
        let step = accept(test, subject: "10", name: "eve", ProviderRules(createsUsers: false))
        #expect(step.refusal == .unknownPerson)
        #expect(test.state.users.count == 2)
        #expect(test.audit.last?.isRefused == true)
    }

    @Test(
        "Each list that is set has to be satisfied, by verified addresses only",
        arguments: [
            (["corp.example"], [], [], true), (["CORP.example"], [], [], true),
            (["other.example"], [], [], false), (["example"], [], [], false),
            ([], ["Cleo@corp.example"], [], true), ([], ["7"], [], true), ([], ["cleo"], [], false),
            ([], [], ["dev"], true), ([], [], ["ops"], false),
            (["corp.example"], ["7"], ["dev", "ops"], true),
            (["corp.example"], ["8"], ["dev"], false),
        ] as [([String], [String], [String], Bool)])
    func admission(domains: [String], users: [String], groups: [String], isAdmitted: Bool) {
        var admission = ProviderAdmission()
        admission.domains = domains
        admission.users = users
        admission.groups = groups
        let test = TestDesk()
        func step(_ isVerified: Bool, _ email: String) -> SignInStep {
            let proven = ProvenIdentity(
                provider: "corp", subject: "7", userName: "cleo", email: email,
                isEmailVerified: isVerified, groups: ["dev"], factors: ["OpenID Connect"])
            return test.store(
                test.desk.accept(
                    proven, ProviderRules(createsUsers: true, admission: admission), for: .account,
                    test.visitor(1), in: test.state, at: test.now, random: &test.random))
        }
        #expect((step(true, "cleo@corp.example").signedIn != nil) == isAdmitted)
        guard !domains.isEmpty else { return }
        #expect(step(false, "cleo@corp.example").refusal == .notAdmitted)
        #expect(step(true, "a@corp.example@other.example").refusal == .notAdmitted)
    }

    @Test("What providers fail of cannot fill the audit log")
    func auditIsBounded() {
        let test = TestDesk()
        for _ in 0..<200 {
            test.store(
                test.desk.noteProviderFailure(
                    "corp", detail: "no proof", test.visitor(1), at: test.now))
        }
        #expect(test.audit.count { $0.isRefused } == 30)
    }

    @Test("A suspended user stays outside at every provider")
    func suspended() throws {
        let test = TestDesk()
        let user = try #require(accept(test, subject: "11", name: "finn").signedIn).user
        let name = try #require(test.state.users[user]).name
        test.store(try test.coordinator.suspendUser(name: name, at: test.now.wall))
        #expect(accept(test, subject: "11", name: "finn").refusal == .suspended)
    }

    @Test("A second factor of this server can be asked for after a provider's proof")
    func secondFactorHere() throws {
        let test = TestDesk()
        let rules = ProviderRules(createsUsers: true, needsSecondFactorHere: true)
        let id = try #require(accept(test, subject: "12", name: "gus", rules).setUp)
        let shown = try #require(
            test.shown(id, test.visitor(1)))
        let code = test.code(decodeBase32(shown.secret))
        let (same, _) = try #require(test.confirm(id, code, test.visitor(1)).recovery)
        #expect(test.goOn(same, test.visitor(1)).signedIn != nil)
        #expect(accept(test, subject: "12", name: "gus", rules).secondFactor != nil)
    }

    @Test(
        "Names from elsewhere become names that are good here",
        arguments: [
            ("Cleo Smith", "CleoSmith"), ("cleo@corp.example", "cleo@corp.example"), ("", "user"),
            ("<script>", "script"), ("../..", "user"),
            (String(repeating: "a", count: 90), String(repeating: "a", count: 56)),
        ])
    func names(text: String, name: String) {
        #expect(Coordinator.userName(from: text) == name)
        #expect(Coordinator.isUserName(name))
    }

    @Test("Attempts are bounded, in all and for each browser")
    func bounded() {
        var random = SeededRandom(state: 3)
        var table = AttemptTable<Int>(capacity: 20, perBrowser: 4, lifetime: .minutes(1))
        let now = MonotonicInstant(nanoseconds: 1)
        func browser(_ number: Int) -> BrowserID {
            BrowserID(Bytes32([UInt8](repeating: UInt8(number), count: 32)))
        }
        let own = (0..<6).map { table.add($0, of: browser(1), at: now, random: &random) }
        #expect(own.map { table.value($0, of: browser(1), at: now) } == [nil, nil, 2, 3, 4, 5])
        for number in 2..<60 {
            _ = table.add(number, of: browser(number), at: now, random: &random)
            #expect(table.count <= 20)
        }
        let last = table.add(0, of: browser(1), at: now, random: &random)
        #expect(table.value(last, of: browser(2), at: now) == nil)
        #expect(table.take(last, of: browser(1), at: now) == 0)
        #expect(table.take(last, of: browser(1), at: now) == nil)
    }
}
