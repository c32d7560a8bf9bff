import ControlMessages
import Coordination
import HTTPTypes
import Hummingbird
import NetTypes
import SignIn
import WebForms

extension PeoplePages {
    func addSignIn(to router: Router<PageContext>) {
        router.get("/sign-in") { request, context in
            try await show(request, context) { guest in
                if guest.session != nil { return .redirect("/account") }
                return await signInPage(guest, for: .account)
            }
        }
        router.post("/sign-in") { request, context in
            try await receive(request, context) { try await checkPassword($0, $1) }
        }
        router.get("/sign-in/:attempt") { request, context in
            let id = AttemptID(context.parameters.get("attempt") ?? "")
            return try await show(request, context) { await attemptPage($0, id) }
        }
        router.post("/sign-in/:attempt") { request, context in
            let id = AttemptID(context.parameters.get("attempt") ?? "")
            return try await receive(request, context) { try await goOn($0, id, $1) }
        }
        router.post("/sign-out") { request, context in
            try await receive(request, context) { guest, _ in
                if let session = guest.session {
                    try await owner.attend(by: guest.initiator) { desk, coordinator, now, _ in
                        desk.endSession(
                            session.record.id, by: guest.initiator, in: coordinator.state, at: now)
                    }
                }
                return .redirect(
                    "/sign-in", cookies: [cookies.setting(.session, "", seconds: 0)])
            }
        }
    }

    /// Where a sign-in for this purpose ends.
    static func path(of purpose: SignInPurpose) -> String {
        switch purpose {
        case .device(let id): "/register/\(id)"
        case .account: "/account"
        }
    }

    // MARK: Name and password

    func signInPage(
        _ guest: Guest, for purpose: SignInPurpose, name: String = "", error: String? = nil,
        above: HTML = .empty, below: HTML = .empty
    ) async -> Page {
        let question = await owner.consult { desk, _, now, random in
            desk.passkeyQuestion(guest.visitor, at: now, random: &random)
        }
        let passkey = question.map {
            PasskeyForms.use(
                $0, action: "/passkey", hidden: "\(guest.formToken)\(Self.field(of: purpose))",
                button: "Sign in with a passkey")
        }
        return Page(
            status: error == nil ? .ok : .unprocessableContent, title: "Sign in",
            body: """
                \(above)
                \(Self.alert(error))
                \(hasLocalAccounts ? passwordForm(guest, for: purpose, name: name) : .empty)
                \(passkey ?? .empty)
                \(providerChoice(for: purpose))
                \(below)
                """, needsScript: question != nil)
    }

    private func passwordForm(
        _ guest: Guest, for purpose: SignInPurpose, name: String
    ) -> HTML {
        """
        <form method="post" action="/sign-in">\(guest.formToken)\(Self.field(of: purpose))
        <label for="name">User name</label>
        <input id="name" name="name" value="\(name)" autocomplete="username" autocapitalize="none" spellcheck="false" required autofocus>
        <label for="password">Password</label>
        <input id="password" name="password" type="password" autocomplete="current-password" required>
        <p><button>Sign in</button></p>
        </form>
        """
    }

    /// Says in a form what the sign-in is for.
    private static func field(of purpose: SignInPurpose) -> HTML {
        guard case .device(let id) = purpose else { return .empty }
        return "<input type=\"hidden\" name=\"device\" value=\"\(id.text)\">"
    }

    private func checkPassword(_ guest: Guest, _ fields: FormFields) async throws -> Page {
        let id = PendingLoginID(fields["device"])
        let purpose = id.text.isEmpty ? SignInPurpose.account : .device(id)
        let name = fields["name"]
        let question = await owner.consult { desk, coordinator, now, _ in
            desk.beginPassword(
                name, for: purpose, guest.visitor, in: coordinator.state, at: now)
        }
        let step: SignInStep
        switch question {
        case .refused(let refusal): step = .refused(refusal)
        case .check(let check): step = try await finish(check, fields["password"], guest)
        }
        if case .refused(let refusal) = step {
            return await signInPage(guest, for: purpose, name: name, error: refusal.text)
        }
        return page(after: step, guest)
    }

    private func finish(
        _ check: PasswordCheck, _ password: String, _ guest: Guest
    ) async throws -> SignInStep {
        let outcome: PasswordOutcome
        do {
            outcome = try await hasher.compare(password, check.hash)
        } catch is PasswordHasher.Busy {
            await owner.consult { desk, _, _, _ in desk.abandon(check) }
            return .refused(.busy)
        }
        return try await owner.attend(by: guest.initiator) { desk, coordinator, now, random in
            desk.finishPassword(
                check, outcome, guest.visitor, in: coordinator.state, at: now, random: &random)
        }
    }

    /// What a browser is sent to after a step that was not refused.
    func page(after step: SignInStep, _ guest: Guest) -> Page {
        switch step {
        case .secondFactor(let id), .setUpOneTimeCodes(let id), .choosePassword(let id):
            return .redirect("/sign-in/\(id)")
        case .recoveryCodes(let id, let codes): return recoveryCodesPage(guest, id, codes)
        case .signedIn(let signedIn):
            let seconds = signedIn.expiry - signedIn.begun
            return .redirect(
                Self.path(of: signedIn.purpose),
                cookies: [
                    cookies.setting(
                        .session, signedIn.token, seconds: seconds.count / 1_000_000_000)
                ])
        case .refused(let refusal):
            return Page(
                status: .conflict, title: "Nobody was signed in",
                body: """
                    \(Self.alert(refusal.text))
                    <p><a href="/sign-in">Sign in</a></p>
                    """)
        }
    }

    // MARK: What comes after it

    private func attemptPage(
        _ guest: Guest, _ id: AttemptID, error: String? = nil
    ) async -> Page {
        let found = await owner.consult { desk, coordinator, now, random in
            let (visitor, state) = (guest.visitor, coordinator.state)
            let attempt = desk.attempt(id, of: visitor, at: now)
            return (
                attempt, attempt.flatMap { state.accounts[$0.user] },
                desk.oneTimeCodeSetUp(id, visitor, in: state, at: now),
                desk.passkeyQuestion(for: id, visitor, in: state, at: now, random: &random),
                desk.passkeyOffer(for: id, visitor, in: state, at: now, random: &random)
            )
        }
        guard let attempt = found.0 else { return page(after: .refused(.attemptGone), guest) }
        switch attempt.phase {
        case .secondFactor: return codePage(guest, id, found.1, found.3, error)
        case .choosePassword: return choosePasswordPage(guest, id, error)
        case .setUpOneTimeCodes:
            guard let shown = found.2 else { return page(after: .refused(.attemptGone), guest) }
            return setUpPage(guest, id, shown.secret, shown.address, found.4, error)
        case .done: return recoveryCodesPage(guest, id, [])
        }
    }

    private func goOn(
        _ guest: Guest, _ id: AttemptID, _ fields: FormFields
    ) async throws -> Page {
        let attempt = await owner.consult { desk, _, now, _ in
            desk.attempt(id, of: guest.visitor, at: now)
        }
        guard let attempt else { return page(after: .refused(.attemptGone), guest) }
        let step: SignInStep
        let visitor = guest.visitor
        switch attempt.phase {
        case .secondFactor:
            let passkey = PasskeyForms.assertion(fields)
            step = try await owner.attend(by: guest.initiator) { desk, coordinator, now, random in
                guard let passkey else {
                    return desk.answerSecondFactor(
                        id, typed: fields["code"], visitor, in: coordinator.state, at: now,
                        random: &random)
                }
                return desk.answerSecondFactor(
                    id, passkey: passkey, visitor, in: coordinator.state, at: now,
                    random: &random)
            }
        case .setUpOneTimeCodes:
            let initiator = await name(of: attempt.user, guest)
            let passkey = PasskeyForms.addition(fields)
            step = try await owner.attend(by: initiator) { desk, coordinator, now, random in
                guard let passkey else {
                    return desk.confirmOneTimeCodes(
                        id, typed: fields["code"], visitor, in: coordinator.state, at: now,
                        random: &random)
                }
                return desk.setUpPasskey(
                    id, passkey, visitor, in: coordinator.state, at: now, random: &random)
            }
        case .done:
            step = try await owner.attend(by: guest.initiator) { desk, coordinator, now, random in
                desk.goOn(id, visitor, in: coordinator.state, at: now, random: &random)
            }
        case .choosePassword:
            return try await takePassword(guest, id, attempt, fields)
        }
        if case .refused(let refusal) = step, refusal != .attemptGone {
            return await attemptPage(guest, id, error: refusal.text)
        }
        return page(after: step, guest)
    }

    private func takePassword(
        _ guest: Guest, _ id: AttemptID, _ attempt: SignInAttempt, _ fields: FormFields
    ) async throws -> Page {
        let initiator = await name(of: attempt.user, guest)
        if let problem = await problem(with: fields, of: initiator.name) {
            return await attemptPage(guest, id, error: problem)
        }
        let hash: String
        do { hash = try await hasher.make(fields["new"]) } catch is PasswordHasher.Busy {
            return await attemptPage(guest, id, error: SignInRefusal.busy.text)
        }
        let step = try await owner.attend(by: initiator) { desk, coordinator, now, random in
            desk.choosePassword(
                id, hash: hash, guest.visitor, in: coordinator.state, at: now, random: &random)
        }
        return page(after: step, guest)
    }

    /// What is wrong with a new password that was typed twice.
    func problem(with fields: FormFields, of userName: String) async -> String? {
        guard fields["new"] == fields["again"] else {
            return "The two new passwords are not the same."
        }
        return await owner.consult { desk, _, _, _ in
            desk.accounts.problem(withPassword: fields["new"], of: userName)
        }
    }

    /// Somebody whose password was right, though no session has begun.
    private func name(of user: UserID, _ guest: Guest) async -> Initiator {
        let name = await owner.read { coordinator, _ in coordinator.state.users[user]?.name }
        return Initiator(.user, name: name ?? "", address: guest.visitor.address)
    }

    // MARK: Pages

    private func codePage(
        _ guest: Guest, _ id: AttemptID, _ account: AccountRecord?, _ question: PasskeyQuestion?,
        _ error: String?
    ) -> Page {
        let action = "/sign-in/\(id.text)"
        let passkey = question.map {
            PasskeyForms.use($0, action: action, hidden: guest.formToken, button: "Use a passkey")
        }
        let hasCodes = account?.oneTimeCodes != nil
        let label = hasCodes ? "Code from your authenticator" : "Recovery code"
        let hint =
            hasCodes
            ? "Six digits. If you have lost the authenticator, enter one of your recovery codes."
            : "Only if you have lost your passkeys."
        return Page(
            status: error == nil ? .ok : .unprocessableContent,
            title: hasCodes ? "Enter your code" : "Show your passkey",
            body: """
                \(Self.alert(error))
                \(passkey ?? .empty)
                <form method="post" action="\(action)">\(guest.formToken)
                <label for="code">\(label)</label>
                <input id="code" name="code" autocomplete="one-time-code" autocapitalize="none" spellcheck="false" required \(hasCodes ? "autofocus" : "") aria-describedby="hint">
                <p id="hint" class="quiet">\(hint)</p>
                <p><button \(HTML(stringLiteral: hasCodes ? "" : "class=\"plain\""))>Continue</button></p>
                </form>
                """, needsScript: question != nil)
    }

    private func choosePasswordPage(_ guest: Guest, _ id: AttemptID, _ error: String?) -> Page {
        Page(
            status: error == nil ? .ok : .unprocessableContent, title: "Choose a password",
            body: """
                <p>Your password was made by an administrator. Choose one that only you know.</p>
                \(Self.alert(error))
                <form method="post" action="/sign-in/\(id.text)">\(guest.formToken)
                \(Self.newPasswordFields)
                <p><button>Continue</button></p>
                </form>
                """)
    }

    static let newPasswordFields: HTML = """
        <label for="new">New password</label>
        <input id="new" name="new" type="password" autocomplete="new-password" required>
        <label for="again">The same again</label>
        <input id="again" name="again" type="password" autocomplete="new-password" required>
        """

    private func setUpPage(
        _ guest: Guest, _ id: AttemptID, _ secret: String, _ address: String,
        _ offer: PasskeyOffer?, _ error: String?
    ) -> Page {
        let passkey = offer.map { offer -> HTML in
            let form = PasskeyForms.make(
                offer, action: "/sign-in/\(id.text)", hidden: guest.formToken)
            return "<h2>Or use a passkey</h2>\(form)"
        }
        return Page(
            status: error == nil ? .ok : .unprocessableContent, title: "Set up an authenticator",
            body: """
                <p>Open an authenticator on your phone, such as Aegis, FreeOTP or Google
                Authenticator, and let it read this picture.</p>
                \(qrCode(address))
                <details><summary>Or type the key</summary>
                <p><code id="secret">\(Self.grouped(secret))</code></p>
                <p class="quiet">Based on time, six digits, every 30 seconds.</p></details>
                \(Self.alert(error))
                <form method="post" action="/sign-in/\(id.text)">\(guest.formToken)
                <label for="code">The code it shows</label>
                <input id="code" name="code" inputmode="numeric" autocomplete="one-time-code" required autofocus>
                <p><button>Continue</button></p>
                </form>
                \(passkey ?? .empty)
                """, needsScript: offer != nil)
    }

    private static func grouped(_ text: String) -> String {
        stride(from: 0, to: text.count, by: 4).map { text.dropFirst($0).prefix(4) }
            .joined(separator: " ")
    }

    private func recoveryCodesPage(
        _ guest: Guest, _ id: AttemptID, _ codes: [String]
    ) -> Page {
        Page(
            title: "Keep your recovery codes",
            body: """
                \(Self.codeList(codes))
                <form method="post" action="/sign-in/\(id.text)">\(guest.formToken)
                <p><button>I have kept them</button></p>
                </form>
                """)
    }

    static func codeList(_ codes: [String]) -> HTML {
        guard !codes.isEmpty else {
            return """
                <p>Your recovery codes were shown once. If you did not keep them, make new ones at the
                page of your account.</p>
                """
        }
        let items: [HTML] = codes.map { "<li>\($0)</li>" }
        return """
            <p>Should your authenticator be lost, each of these lets you in once. Print them or write
            them down now: they are not shown again.</p>
            <ol class="codes box">\(items)</ol>
            """
    }
}
