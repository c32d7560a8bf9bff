import ControlMessages
import Coordination
import HTTPTypes
import Hummingbird
import NetTypes
import SignIn
import WebForms

extension PeoplePages {
    /// What is somebody's own: machines, sessions, password, second factor.
    func addAccount(to router: Router<PageContext>) {
        router.get("/account") { request, context in
            try await showMember(request, context) { await accountPage($0, $1) }
        }
        router.post("/account/password") { request, context in
            try await receiveMember(request, context) { try await changePassword($0, $1, $2) }
        }
        router.post("/account/second-factor") { request, context in
            try await receiveMember(request, context) { try await changeSecondFactor($0, $1, $2) }
        }
        router.post("/account/sessions/:id") { request, context in
            let text = context.parameters.get("id") ?? ""
            return try await receiveMember(request, context) { guest, session, _ in
                try await owner.attend(by: guest.initiator) { desk, coordinator, now, _ in
                    let own = coordinator.state.sessions(of: session.user.id)
                    guard let record = own.first(where: { $0.id.text == text }) else {
                        return Decision(())
                    }
                    return desk.endSession(
                        record.id, by: guest.initiator, in: coordinator.state, at: now)
                }
                return .redirect("/account")
            }
        }
        router.post("/account/machines/:id") { request, context in
            let id = NodeID(Int64(context.parameters.get("id") ?? "") ?? 0)
            return try await receiveMember(request, context) { guest, session, fields in
                try await change(id, fields, guest, session)
                return .redirect(fields["back"] == "all" ? "/admin/machines" : "/account")
            }
        }
    }

    // MARK: Machines

    /// Renames, expires or removes a machine: one's own, or any for who manages machines.
    private func change(
        _ id: NodeID, _ fields: FormFields, _ guest: Guest, _ session: LiveSession
    ) async throws {
        let action = fields["action"]
        let name = fields["name"]
        try await owner.perform(by: guest.initiator) { coordinator, now, _ in
            guard let node = coordinator.state.nodes[id] else {
                throw AdministrationRefusal.unknownNode("\(id)")
            }
            guard node.user == session.user.id || session.user.role.managesDevices else {
                throw AdministrationRefusal.notPermitted
            }
            let decision: Decision<NodeRecord>
            switch action {
            case "approve":
                guard session.user.role.managesDevices else {
                    throw AdministrationRefusal.notPermitted
                }
                decision = try coordinator.approveNode("\(id)")
            case "rename": decision = try coordinator.renameNode("\(id)", to: name)
            case "expire": decision = try coordinator.expireNode("\(id)", now: now.wall)
            case "remove": decision = try coordinator.deleteNode("\(id)")
            default: throw AdministrationRefusal.notPermitted
            }
            return Decision((), changes: decision.changes)
        }
    }

    func machineItem(
        _ node: NodeRecord, owner name: String?, isOnline: Bool, at now: Timestamp,
        back: String, mayChange: Bool, _ guest: Guest
    ) -> HTML {
        var facts = [node.hostinfo.operatingSystem]
        facts += node.addresses.map { $0.address.description }
        if let name { facts.insert(name, at: 0) }
        let state: String
        if node.awaitsApproval {
            state = "waits for an administrator's approval"
        } else if node.isExpired(at: now) {
            state = "expired: log in again on the machine"
        } else if isOnline {
            state = "online"
        } else {
            state = node.lastSeen.map { "last seen \(Self.minute($0))" } ?? "never seen"
        }
        let expiry = node.expiry.map { $0 > now ? ", good until \(Self.minute($0))" : "" } ?? ""
        var forms = HTML.empty
        if mayChange {
            let action: HTML = "/account/machines/\("\(node.id)")"
            let hidden: HTML =
                "\(guest.formToken)<input type=\"hidden\" name=\"back\" value=\"\(back)\">"
            forms = """
                <details><summary>Change \(node.name)</summary>
                <form method="post" action="\(action)">\(hidden)
                <label for="name-\("\(node.id)")">Name</label>
                <input id="name-\("\(node.id)")" name="name" value="\(node.name)" required maxlength="63" autocapitalize="none" spellcheck="false">
                <button name="action" value="rename">Rename</button></form>
                <form method="post" action="\(action)">\(hidden)
                <button name="action" value="expire" class="plain">Expire \(node.name)</button></form>
                <form method="post" action="\(action)">\(hidden)
                <button name="action" value="remove" class="grave">Remove \(node.name)</button></form>
                </details>
                """
        }
        return """
            <div class="item"><h3>\(node.name)</h3>
            <p>\(facts.filter { !$0.isEmpty }.joined(separator: " · "))</p>
            <p>\(state)\(expiry)</p>
            \(forms)</div>
            """
    }

    /// To the minute, in UTC.
    static func minute(_ time: Timestamp) -> String {
        time.description.prefix(16).replacing("T", with: " ") + " UTC"
    }

    // MARK: The page

    func accountPage(
        _ guest: Guest, _ session: LiveSession, error: String? = nil, note: HTML = .empty
    ) async -> Page {
        let user = session.user
        let (nodes, sessions, account, hasPasskeys) = await owner.consult {
            desk, coordinator, now, _ in
            let nodes = coordinator.state.sortedNodes.filter { $0.user == user.id }
            return (
                nodes.map {
                    machineItem(
                        $0, owner: nil, isOnline: coordinator.isOnline($0.id), at: now.wall,
                        back: "own", mayChange: true, guest)
                }, coordinator.state.sessions(of: user.id),
                coordinator.state.accounts[user.id], desk.settings.relyingParty != nil
            )
        }
        let machines: HTML =
            nodes.isEmpty
            ? "<p>None yet. Run <code>skein up</code> on a machine and open the link it shows.</p>"
            : HTML(nodes)
        let items = sessions.map { sessionItem($0, isThis: $0.id == session.record.id, guest) }
        return Page(
            status: error == nil ? .ok : .unprocessableContent, title: "Hello, \(user.shownName)",
            body: """
                \(Self.alert(error))
                \(note)
                <h2>Your machines</h2>
                \(machines)
                <h2>Where you are signed in</h2>
                \(items)
                \(account?.hasPassword == true ? passwordForm(guest, user) : .empty)
                \(account?.hasPassword == true || account?.hasSecondFactor == true ? secondFactor(guest, account) : .empty)
                \(hasPasskeys ? passkeySection(guest, account) : .empty)
                """)
    }

    private func sessionItem(_ session: SessionRecord, isThis: Bool, _ guest: Guest) -> HTML {
        let place = session.address.isEmpty ? "unknown address" : session.address
        let end: HTML =
            isThis
            ? "<p><strong>This browser</strong></p>"
            : """
            <form method="post" action="/account/sessions/\(session.id.text)">\(guest.formToken)
            <button class="plain">Sign out there</button></form>
            """
        return """
            <div class="item"><p>\(session.browser.isEmpty ? "Unknown browser" : session.browser)</p>
            <p class="quiet">\(place), since \(Self.minute(session.created)), last used \(Self.minute(session.lastUsed)); \(session.factors.joined(separator: " and "))</p>
            \(end)</div>
            """
    }

    private func passwordForm(_ guest: Guest, _ user: UserRecord) -> HTML {
        """
        <h2>Password</h2>
        <details><summary>Change your password</summary>
        <form method="post" action="/account/password">\(guest.formToken)
        <input type="hidden" name="username" value="\(user.name)" autocomplete="username">
        <label for="current">Current password</label>
        <input id="current" name="current" type="password" autocomplete="current-password" required>
        \(Self.newPasswordFields)
        <p class="quiet">You are signed out everywhere else.</p>
        <p><button>Change it</button></p>
        </form></details>
        """
    }

    private func secondFactor(_ guest: Guest, _ account: AccountRecord?) -> HTML {
        let prompt = Self.passwordPrompt(account?.hasPassword == true, id: "confirm")
        let left = account?.recoveryCodes.count ?? 0
        guard account?.oneTimeCodes != nil else {
            let hasPasskeys = account?.passkeys.isEmpty == false
            let state =
                hasPasskeys
                ? "Your passkeys, and \(left) recovery codes are left."
                : "None. With an authenticator, a stolen password alone is of no use."
            let codes: HTML =
                hasPasskeys
                ? "<button name=\"action\" value=\"codes\" class=\"plain\">New recovery codes</button>"
                : .empty
            return """
                <h2>Second factor</h2>
                <p>\(state)</p>
                <details><summary>Set up an authenticator</summary>
                <form method="post" action="/account/second-factor">\(guest.formToken)\(prompt)
                <p><button name="action" value="set-up">Set up</button>\(codes)</p></form></details>
                """
        }
        return """
            <h2>Second factor</h2>
            <p>An authenticator is set up. \(left) recovery codes are left.</p>
            <details><summary>Change the second factor</summary>
            <form method="post" action="/account/second-factor">\(guest.formToken)\(prompt)
            <button name="action" value="set-up">Use another authenticator</button>
            <button name="action" value="codes" class="plain">New recovery codes</button>
            <button name="action" value="remove" class="grave">Remove it</button></form></details>
            """
    }

    // MARK: Password and second factor

    private func changePassword(
        _ guest: Guest, _ session: LiveSession, _ fields: FormFields
    ) async throws -> Page {
        let user = session.user
        if let refusal = try await refusal(of: fields["current"], guest, user) {
            return await accountPage(guest, session, error: refusal)
        }
        if let problem = await problem(with: fields, of: user.name) {
            return await accountPage(guest, session, error: problem)
        }
        let hash: String
        do { hash = try await hasher.make(fields["new"]) } catch is PasswordHasher.Busy {
            return await accountPage(guest, session, error: SignInRefusal.busy.text)
        }
        try await owner.attend(by: guest.initiator) { desk, coordinator, now, random in
            desk.accounts.setPassword(
                of: user, hash: hash, isTemporary: false, keeping: session.record.id,
                in: coordinator.state, at: now.wall, random: &random)
        }
        return await accountPage(
            guest, session, note: "<p role=\"status\">Your password was changed.</p>")
    }

    private func changeSecondFactor(
        _ guest: Guest, _ session: LiveSession, _ fields: FormFields
    ) async throws -> Page {
        let user = session.user
        if let refusal = try await refusal(ofProofIn: fields, guest, session) {
            return await accountPage(guest, session, error: refusal)
        }
        switch fields["action"] {
        case "set-up":
            let id = await owner.consult { desk, _, now, random in
                desk.beginSetUp(for: session.record, guest.visitor, at: now, random: &random)
            }
            return .redirect("/sign-in/\(id)")
        case "codes":
            let codes = try await owner.attend(by: guest.initiator) {
                desk, coordinator, _, random in
                desk.accounts.renewRecoveryCodes(
                    of: user, in: coordinator.state, random: &random)
            }
            return Page(
                title: "Your new recovery codes",
                body: """
                    \(Self.codeList(codes))
                    <p>The old ones are of no use any more. <a href="/account">Go on</a></p>
                    """)
        case "remove":
            try await owner.attend(by: guest.initiator) { desk, coordinator, _, _ in
                desk.accounts.removeOneTimeCodes(of: user, in: coordinator.state)
            }
        default: break
        }
        return .redirect("/account")
    }

    /// Why a password that was asked for again does not count; nil when it does. It is slowed down
    /// as a sign-in is: whoever sits at an open session may not guess either.
    func refusal(
        of password: String, _ guest: Guest, _ user: UserRecord
    ) async throws -> String? {
        let question = await owner.consult { desk, coordinator, now, _ in
            desk.beginPassword(
                user.name, for: .account, guest.visitor, in: coordinator.state, at: now)
        }
        switch question {
        case .refused(let refusal): return refusal.text
        case .check(let check):
            let matches: Bool
            do {
                matches = try await hasher.compare(password, check.hash).matches
            } catch is PasswordHasher.Busy {
                return SignInRefusal.busy.text
            }
            guard matches else { return "That is not your current password." }
            await owner.consult { desk, _, _, _ in desk.abandon(check) }
            return nil
        }
    }
}
