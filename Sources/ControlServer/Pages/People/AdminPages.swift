import ControlMessages
import Coordination
import HTTPTypes
import Hummingbird
import NetTypes
import SignIn
import WebForms

extension PeoplePages {
    /// For administrators, operators and auditors: all machines, users, the audit log.
    func addAdministration(to router: Router<PageContext>) {
        router.get("/admin/machines") { request, context in
            try await showOverseer(request, context) { await machinesPage($0, $1) }
        }
        router.post("/admin/waiting/:id") { request, context in
            let id = PendingLoginID(context.parameters.get("id") ?? "")
            return try await receiveMember(request, context) { guest, session, fields in
                guard session.user.role.managesDevices else {
                    throw AdministrationRefusal.notPermitted
                }
                if fields["answer"] == "yes" {
                    let user = fields["user"]
                    try await owner.perform(by: guest.initiator) { coordinator, now, _ in
                        let decision = try coordinator.approveLogin(id, user: user, at: now.wall)
                        return Decision((), changes: decision.changes)
                    }
                } else {
                    try await reject(id, guest)
                }
                return .redirect("/admin/machines")
            }
        }
        router.get("/admin/users") { request, context in
            try await showOverseer(request, context) { await usersPage($0, $1) }
        }
        router.post("/admin/users") { request, context in
            try await receiveMember(request, context) { try await createUser($0, $1, $2) }
        }
        router.post("/admin/users/:id") { request, context in
            let id = UserID(Int64(context.parameters.get("id") ?? "") ?? 0)
            return try await receiveMember(request, context) {
                try await changeUser(id, $0, $1, $2)
            }
        }
        router.get("/admin/audit") { request, context in
            let before = request.uri.queryParameters["before"].flatMap { Int64(String($0)) }
            return try await showOverseer(request, context) { _, _ in
                try await auditPage(before: before)
            }
        }
    }

    private func showOverseer(
        _ request: Request, _ context: PageContext,
        _ make: (Guest, LiveSession) async throws -> Page
    ) async throws -> Response {
        try await showMember(request, context) { guest, session in
            guard session.user.role.seesEverything else { return Self.notFound }
            return try await make(guest, session)
        }
    }

    // MARK: Machines

    private func machinesPage(_ guest: Guest, _ session: LiveSession) async -> Page {
        let role = session.user.role
        let (waiting, items) = await owner.read { coordinator, now in
            let users = coordinator.state.sortedUsers.filter { !$0.isSuspended }
            let waiting = coordinator.waitingLogins.map {
                waitingItem($0, users, mayDecide: role.managesDevices, guest)
            }
            var unapproved: [HTML] = []
            var items: [HTML] = []
            for node in coordinator.state.sortedNodes {
                let owner = node.user.flatMap { coordinator.state.users[$0]?.name }
                let item = machineItem(
                    node, owner: owner ?? node.tags.joined(separator: " "),
                    isOnline: coordinator.isOnline(node.id), at: now.wall, back: "all",
                    mayChange: role.managesDevices, guest)
                if node.awaitsApproval {
                    unapproved.append(
                        unapprovedItem(node, item, mayDecide: role.managesDevices, guest))
                } else {
                    items.append(item)
                }
            }
            return (waiting + unapproved, items)
        }
        return Page(
            title: "All machines",
            body: """
                <h2>Waiting to be let in</h2>
                \(waiting.isEmpty ? "<p>None.</p>" : HTML(waiting))
                <h2>In the network</h2>
                \(items.isEmpty ? "<p>None yet.</p>" : HTML(items))
                """)
    }

    /// A machine that somebody signed in for, and that is to be approved.
    private func unapprovedItem(
        _ node: NodeRecord, _ item: HTML, mayDecide: Bool, _ guest: Guest
    ) -> HTML {
        guard mayDecide else { return item }
        return """
            \(item)
            <form method="post" action="/account/machines/\("\(node.id)")">\(guest.formToken)
            <input type="hidden" name="back" value="all">
            <button name="action" value="approve">Approve \(node.name)</button></form>
            """
    }

    private func waitingItem(
        _ login: PendingLogin, _ users: [UserRecord], mayDecide: Bool, _ guest: Guest
    ) -> HTML {
        var form = HTML.empty
        if mayDecide {
            let options: [HTML] = users.map { "<option>\($0.name)</option>" }
            form = """
                <form method="post" action="/admin/waiting/\(login.id.text)">\(guest.formToken)
                <label for="user-\(login.id.text)">Owner</label>
                <select id="user-\(login.id.text)" name="user">\(options)</select>
                <button name="answer" value="yes">Let it in</button>
                <button name="answer" value="no" class="grave">Refuse</button></form>
                """
        }
        return "<div class=\"item\">\(Self.description(login))\(form)</div>"
    }

    // MARK: Users

    private func usersPage(_ guest: Guest, _ session: LiveSession, note: HTML = .empty) async
        -> Page
    {
        let role = session.user.role
        let items = await owner.read { coordinator, _ in
            coordinator.state.sortedUsers.map { user in
                userItem(
                    user, coordinator.state.accounts[user.id],
                    nodes: coordinator.state.nodes.values.count { $0.user == user.id },
                    sessions: coordinator.state.sessions(of: user.id).count,
                    by: role, isSelf: user.id == session.user.id, guest)
            }
        }
        var form = HTML.empty
        if role.managesUsers {
            form = """
                <h2>Add a user</h2>
                <form method="post" action="/admin/users">\(guest.formToken)
                <label for="name">User name</label>
                <input id="name" name="name" required maxlength="64" autocapitalize="none" spellcheck="false" autocomplete="off">
                <label for="shown">Name to show</label><input id="shown" name="shown" autocomplete="off">
                <label for="role">Role</label>\(Self.roleChoice(.member, by: role, id: "role"))
                <p><button>Add, with a password for the first time</button></p></form>
                """
        }
        return Page(title: "Users", body: "\(note)\(items)\(form)")
    }

    private static func roleChoice(_ current: UserRole, by role: UserRole, id: String) -> HTML {
        let options: [HTML] = UserRole.allCases.filter { role.mayChange($0) }.map {
            $0 == current
                ? "<option selected>\($0.rawValue)</option>" : "<option>\($0.rawValue)</option>"
        }
        return "<select id=\"\(id)\" name=\"role\">\(options)</select>"
    }

    private func userItem(
        _ user: UserRecord, _ account: AccountRecord?, nodes: Int, sessions: Int,
        by role: UserRole, isSelf: Bool, _ guest: Guest
    ) -> HTML {
        var facts = [user.role.rawValue, "machines: \(nodes)", "sessions: \(sessions)"]
        if user.isSuspended { facts.append("suspended") }
        if account?.hasPassword == true { facts.append("password") }
        if account?.oneTimeCodes != nil { facts.append("authenticator") }
        if let count = account?.passkeys.count, count > 0 { facts.append("passkeys: \(count)") }
        facts += Set(user.identities.map(\.provider)).sorted()
        var form = HTML.empty
        if role.managesUsers, role.mayChange(user.role), !isSelf {
            let id = "role-\(user.id)"
            func button(_ value: String, _ text: String, _ kind: String = "plain") -> HTML {
                "<button name=\"action\" value=\"\(value)\" class=\"\(kind)\">\(text)</button>"
            }
            form = """
                <details><summary>Change \(user.name)</summary>
                <form method="post" action="/admin/users/\("\(user.id)")">\(guest.formToken)
                <label for="\(id)">Role</label>\(Self.roleChoice(user.role, by: role, id: id))
                \(button("role", "Set role"))
                \(button("password", "New password for \(user.name)"))
                \(button("second-factor", "Remove second factor"))
                \(button("sessions", "Sign out everywhere"))
                \(user.isSuspended ? button("resume", "Resume \(user.name)") : button("suspend", "Suspend \(user.name)", "grave"))
                </form></details>
                """
        }
        return """
            <div class="item"><h3>\(user.name)</h3>
            <p>\(user.displayName)</p><p>\(facts.joined(separator: " · "))</p>\(form)</div>
            """
    }

    private func createUser(
        _ guest: Guest, _ session: LiveSession, _ fields: FormFields
    ) async throws -> Page {
        let role = session.user.role
        guard let newRole = UserRole(rawValue: fields["role"]) else {
            throw AdministrationRefusal.unknownRole(fields["role"])
        }
        guard role.managesUsers, role.mayChange(newRole) else {
            throw AdministrationRefusal.notPermitted
        }
        let (name, shown) = (fields["name"], fields["shown"])
        let user = try await owner.perform(by: guest.initiator) { coordinator, now, _ in
            try coordinator.createUser(
                name: name, displayName: shown, role: newRole, at: now.wall)
        }
        return try await newPassword(of: user, guest, session)
    }

    /// Makes a password that is shown once, to be told to its user.
    private func newPassword(
        of user: UserRecord, _ guest: Guest, _ session: LiveSession
    ) async throws -> Page {
        let password = await owner.consult { desk, _, _, random in
            desk.accounts.temporaryPassword(random: &random)
        }
        let hash = try await hasher.make(password)
        try await owner.attend(by: guest.initiator) { desk, coordinator, now, random in
            desk.accounts.setPassword(
                of: user, hash: hash, isTemporary: true, in: coordinator.state, at: now.wall,
                random: &random)
        }
        return await usersPage(
            guest, session,
            note: """
                <div class="box" role="status"><p>Tell \(user.name) this password. It is shown this once
                and has to be changed at the first sign-in:</p>
                <p><code id="password">\(password)</code></p></div>
                """)
    }

    private func changeUser(
        _ id: UserID, _ guest: Guest, _ session: LiveSession, _ fields: FormFields
    ) async throws -> Page {
        let role = session.user.role
        let found = await owner.read { coordinator, _ in coordinator.state.users[id] }
        guard let user = found else { throw AdministrationRefusal.unknownUser("\(id)") }
        guard role.managesUsers, role.mayChange(user.role), id != session.user.id else {
            throw AdministrationRefusal.notPermitted
        }
        let action = fields["action"]
        let newRole = UserRole(rawValue: fields["role"])
        if action == "password" { return try await newPassword(of: user, guest, session) }
        try await owner.attend(by: guest.initiator) { desk, coordinator, now, _ in
            switch action {
            case "role":
                guard let newRole, role.mayChange(newRole) else {
                    throw AdministrationRefusal.notPermitted
                }
                let decision = try coordinator.setRole(ofUser: user.name, to: newRole)
                return Decision((), changes: decision.changes)
            case "second-factor":
                return desk.accounts.removeSecondFactor(of: user, in: coordinator.state)
            case "sessions":
                return desk.endSessions(
                    of: user, by: guest.initiator, in: coordinator.state, at: now)
            case "suspend":
                let decision = try coordinator.suspendUser(name: user.name, at: now.wall)
                return Decision((), changes: decision.changes)
            case "resume":
                let decision = try coordinator.resumeUser(name: user.name)
                return Decision((), changes: decision.changes)
            default: throw AdministrationRefusal.notPermitted
            }
        }
        return .redirect("/admin/users")
    }

    // MARK: Audit log

    private func auditPage(before: Int64?) async throws -> Page {
        let length = 100
        let entries = try await storage.audit(before, length)
        let items: [HTML] = entries.map { _, entry in
            let who = [
                entry.initiator.kind.rawValue, entry.initiator.name, entry.initiator.address,
            ]
            .filter { !$0.isEmpty }.joined(separator: " ")
            let result = entry.isRefused ? "refused" : "done"
            return """
                <div class="item"><p><strong>\(entry.action.rawValue)</strong> \(entry.object) (\(result))</p>
                <p class="quiet">\(Self.minute(entry.time)), \(who)\(entry.detail.isEmpty ? "" : ": " + entry.detail)</p></div>
                """
        }
        var more = HTML.empty
        if entries.count == length, let last = entries.last {
            more = "<p><a href=\"/admin/audit?before=\(String(last.position))\">Older</a></p>"
        }
        return Page(title: "Audit log", body: "\(items)\(more)")
    }
}
