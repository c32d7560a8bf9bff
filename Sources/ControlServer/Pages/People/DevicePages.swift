import ControlMessages
import Coordination
import HTTPTypes
import Hummingbird
import NetTypes
import SignIn
import WebForms

extension PeoplePages {
    /// The page whose address a machine shows when it wants to join.
    func addDevice(to router: Router<PageContext>) {
        router.get("/register/:id") { request, context in
            let id = PendingLoginID(context.parameters.get("id") ?? "")
            return try await show(request, context) { guest in
                guard let login = await waiting(id) else { return Self.linkGone }
                guard let session = guest.session else {
                    return await signInPage(
                        guest, for: .device(id), above: Self.introduction(login),
                        below: Self.command(login))
                }
                return confirmPage(guest, session, login)
            }
        }
        router.post("/register/:id") { request, context in
            let id = PendingLoginID(context.parameters.get("id") ?? "")
            return try await receive(request, context) { guest, fields in
                guard let session = guest.session else { return .redirect("/register/\(id)") }
                guard await waiting(id) != nil else { return Self.linkGone }
                return try await decide(id, fields["answer"], guest, session)
            }
        }
    }

    private func waiting(_ id: PendingLoginID) async -> PendingLogin? {
        await owner.read { coordinator, _ in coordinator.waitingLogin(id) }
    }

    private func decide(
        _ id: PendingLoginID, _ answer: String, _ guest: Guest, _ session: LiveSession
    ) async throws -> Page {
        guard answer == "yes" else {
            try await reject(id, guest)
            return Page(
                title: "The machine was refused",
                body: "<p>It was told so, and its link is of no use any more.</p>")
        }
        let node = try await owner.perform(by: guest.initiator) { coordinator, now, _ in
            try coordinator.approveLogin(
                id, user: session.user.name, by: .signIn, at: now.wall)
        }
        guard !node.awaitsApproval else {
            return Page(
                title: "\(node.name) waits for approval",
                body: """
                    <p>It is yours now. Before it reaches anything an administrator has to approve it; it goes
                    on by itself then. You can close this page.</p>
                    """)
        }
        return Page(
            title: "\(node.name) is in",
            body: """
                <p>The machine goes on by itself. You can close this page, or look at
                <a href="/account">your machines</a>.</p>
                """)
    }

    func reject(_ id: PendingLoginID, _ guest: Guest) async throws {
        let initiator = guest.initiator
        let events = try await owner.perform(by: initiator) { coordinator, now, _ in
            guard let login = coordinator.waitingLogin(id) else {
                throw AdministrationRefusal.unknownLogin(id.text)
            }
            let events = try coordinator.rejectLogin(id)
            let entry = AuditEntry(
                time: now.wall, by: initiator, .loginRejected,
                "machine \(login.machineKey.shortText)")
            return Decision(events, changes: [.audit(entry)])
        }
        await owner.announce(events)
    }

    // MARK: Pages

    private static let linkGone = Page(
        status: .notFound, title: "This link is no longer valid",
        body: """
            <p>The machine has joined already, or it has waited too long. Run
            <code>skein up</code> (or <code>tailscale up</code>) on it again to get a new link.</p>
            """)

    private static func introduction(_ login: PendingLogin) -> HTML {
        """
        <p>A machine wants to join. Sign in, and you are asked whether it is yours.</p>
        \(description(login))
        """
    }

    /// What is known of a machine: as it says itself, but for the address and the key.
    static func description(_ login: PendingLogin) -> HTML {
        let system = [login.hostinfo.operatingSystem, login.hostinfo.operatingSystemVersion]
            .filter { !$0.isEmpty }.joined(separator: " ")
        return """
            <dl class="box">
            <dt>Name</dt><dd>\(login.hostinfo.hostname)</dd>
            <dt>System</dt><dd>\(system)</dd>
            <dt>Asks from</dt><dd>\(login.address.map { $0.description } ?? "unknown")</dd>
            <dt>Key</dt><dd><code>\(login.nodeKey.shortText)…</code></dd>
            </dl>
            """
    }

    private static func command(_ login: PendingLogin) -> HTML {
        """
        <details><summary>Without an account</summary>
        <p>If you know this machine, an administrator lets it in with this command on the server,
        with the name of the user who is to own it:</p>
        <pre><code>\("skein-server nodes approve --user USER \(login.id)")</code></pre>
        </details>
        """
    }

    private func confirmPage(
        _ guest: Guest, _ session: LiveSession, _ login: PendingLogin
    ) -> Page {
        var warning = HTML.empty
        if let address = guest.visitor.address, let other = login.address, address != other {
            warning = """
                <p class="error">This machine asks from another address (\(other.description)) than
                your browser (\(address.description)). That is right if you use two networks. If
                somebody sent you this link, refuse.</p>
                """
        }
        return Page(
            title: "Is this machine yours?",
            body: """
                <p>Say yes only if you have just run <code>up</code> on it yourself. It will be a machine
                of <strong>\(session.user.name)</strong> and reach all that you may reach.</p>
                \(Self.description(login))
                \(warning)
                <form method="post" action="/register/\(login.id.text)">\(guest.formToken)
                <button name="answer" value="yes">Yes, let it in</button>
                <button name="answer" value="no" class="grave">No, refuse it</button>
                </form>
                """)
    }
}
