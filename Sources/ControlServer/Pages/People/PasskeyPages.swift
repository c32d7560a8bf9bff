import Coordination
import HTTPTypes
import Hummingbird
import NetTypes
import SignIn
import WebForms

extension PeoplePages {
    /// Passkeys of somebody's own, and signing in with nothing else.
    func addPasskeys(to router: Router<PageContext>) {
        router.post("/passkey") { request, context in
            try await receive(request, context) { try await signInWithPasskey($0, $1) }
        }
        router.post("/account/passkeys") { request, context in
            try await receiveMember(request, context) { try await changePasskeys($0, $1, $2) }
        }
    }

    private func signInWithPasskey(_ guest: Guest, _ fields: FormFields) async throws -> Page {
        let id = PendingLoginID(fields["device"])
        let purpose = id.text.isEmpty ? SignInPurpose.account : .device(id)
        guard let response = PasskeyForms.assertion(fields) else {
            return await signInPage(
                guest, for: purpose, error: SignInRefusal.wrongPasskey.text)
        }
        let step = try await owner.attend(by: guest.initiator) { desk, coordinator, now, random in
            desk.signInWithPasskey(
                response, for: purpose, guest.visitor, in: coordinator.state, at: now,
                random: &random)
        }
        if case .refused(let refusal) = step {
            return await signInPage(guest, for: purpose, error: refusal.text)
        }
        return page(after: step, guest)
    }

    // MARK: Changing

    private func changePasskeys(
        _ guest: Guest, _ session: LiveSession, _ fields: FormFields
    ) async throws -> Page {
        // What the browser sends after a passkey was made answers a challenge that was given only to
        // who had proved themselves.
        if fields["action"] == "add" { return try await addPasskey(guest, session, fields) }
        if let refusal = try await refusal(ofProofIn: fields, guest, session) {
            return await accountPage(guest, session, error: refusal)
        }
        switch fields["action"] {
        case "new": return await newPasskeyPage(guest, session)
        case "remove":
            return try await removePasskey(
                Hexadecimal.decode(fields["id"]) ?? [], guest, session)
        case "no-password":
            try await owner.attend(by: guest.initiator) { desk, coordinator, _, _ in
                desk.accounts.removePassword(of: session.user, in: coordinator.state)
            }
            return await accountPage(
                guest, session, note: "<p role=\"status\">Your password was removed.</p>")
        default: return .redirect("/account")
        }
    }

    private func newPasskeyPage(_ guest: Guest, _ session: LiveSession) async -> Page {
        let offer = await owner.consult { desk, coordinator, now, random in
            desk.passkeyOffer(
                for: session, guest.visitor, in: coordinator.state, at: now, random: &random)
        }
        guard let offer else {
            return await accountPage(guest, session, error: "You have as many as there may be.")
        }
        let hidden: HTML =
            "\(guest.formToken)<input type=\"hidden\" name=\"action\" value=\"add\">"
        return Page(
            title: "Add a passkey",
            body: """
                <p>Your browser asks where the passkey is to be: in this device, in a phone, in a
                security key.</p>
                \(PasskeyForms.make(offer, action: "/account/passkeys", hidden: hidden))
                <p><a href="/account">Back</a></p>
                """, needsScript: true)
    }

    private func addPasskey(
        _ guest: Guest, _ session: LiveSession, _ fields: FormFields
    ) async throws -> Page {
        guard let addition = PasskeyForms.addition(fields) else {
            return await accountPage(
                guest, session, error: SignInRefusal.wrongPasskey.text)
        }
        let added = try await owner.attend(by: guest.initiator) {
            desk, coordinator, now, random in
            desk.addPasskey(
                addition, for: session, guest.visitor, in: coordinator.state, at: now,
                random: &random)
        }
        switch added {
        case .refused(let refusal):
            return await accountPage(guest, session, error: refusal.text)
        case .added(let codes) where codes.isEmpty:
            return await accountPage(
                guest, session, note: "<p role=\"status\">The passkey was added.</p>")
        case .added(let codes):
            return Page(
                title: "Keep your recovery codes",
                body: """
                    <p role="status">The passkey was added.</p>
                    \(Self.codeList(codes))
                    <p><a href="/account">I have kept them</a></p>
                    """)
        }
    }

    private func removePasskey(
        _ id: [UInt8], _ guest: Guest, _ session: LiveSession
    ) async throws -> Page {
        let isOnlyWay = await owner.read { coordinator, _ in
            let account = coordinator.state.accounts[session.user.id]
            return account?.hasPassword == false && session.user.identities.isEmpty
                && account?.passkeys.count == 1
        }
        guard !isOnlyWay else {
            return await accountPage(
                guest, session,
                error: "This passkey is your only way to sign in. Add another one first.")
        }
        _ = try await owner.attend(by: guest.initiator) { desk, coordinator, _, _ in
            desk.accounts.removePasskey(id, of: session.user, in: coordinator.state)
        }
        return await accountPage(
            guest, session, note: "<p role=\"status\">The passkey was removed.</p>")
    }

    /// Why a change to how somebody signs in is not done; nil when it is: they type their password, or,
    /// having none, have signed in just now.
    func refusal(
        ofProofIn fields: FormFields, _ guest: Guest, _ session: LiveSession
    ) async throws -> String? {
        let (hasPassword, isFresh) = await owner.consult { desk, coordinator, now, _ in
            (
                coordinator.state.accounts[session.user.id]?.hasPassword == true,
                desk.isFresh(session, at: now)
            )
        }
        if hasPassword { return try await refusal(of: fields["current"], guest, session.user) }
        return isFresh
            ? nil : "You signed in a while ago. Please sign out and in again, and repeat this."
    }

    // MARK: On the page of the account

    func passkeySection(_ guest: Guest, _ account: AccountRecord?) -> HTML {
        let passkeys = account?.passkeys ?? []
        let hasPassword = account?.hasPassword == true
        let items: [HTML] = passkeys.map { passkey in
            let used = passkey.lastUsed.map { "last used \(Self.minute($0))" } ?? "not used yet"
            let place = passkey.isBackedUp ? "synchronized" : "on one device"
            return """
                <div class="item"><h3>\(passkey.name)</h3>
                <p class="quiet">added \(Self.minute(passkey.created)), \(used), \(place)</p>
                <details><summary>Remove \(passkey.name)</summary>
                <form method="post" action="/account/passkeys">\(guest.formToken)
                <input type="hidden" name="id" value="\(Hexadecimal.encode(passkey.id))">
                \(Self.passwordPrompt(hasPassword, id: "remove-\(passkey.shortID)"))
                <button name="action" value="remove" class="grave">Remove it</button></form></details></div>
                """
        }
        var without = HTML.empty
        if hasPassword, !passkeys.isEmpty {
            without = """
                <details><summary>Do without a password</summary>
                <p>You sign in with a passkey alone. If you lose all of them, an administrator has to
                give you a new password.</p>
                <form method="post" action="/account/passkeys">\(guest.formToken)
                \(Self.passwordPrompt(hasPassword, id: "no-password"))
                <button name="action" value="no-password" class="grave">Remove my password</button></form>
                </details>
                """
        }
        return """
            <h2>Passkeys</h2>
            <p>\(passkeys.isEmpty ? "None. " : "")A passkey is in your phone, computer or security key and
            cannot be guessed, or given to a page that only looks like this one.</p>
            \(items)
            <details><summary>Add a passkey</summary>
            <form method="post" action="/account/passkeys">\(guest.formToken)
            \(Self.passwordPrompt(hasPassword, id: "add-passkey"))
            <button name="action" value="new">Go on</button></form></details>
            \(without)
            """
    }

    /// Asks for the password again, of who has one.
    static func passwordPrompt(_ hasPassword: Bool, id: String) -> HTML {
        guard hasPassword else { return .empty }
        return """
            <label for="\(id)">Current password</label>
            <input id="\(id)" name="current" type="password" autocomplete="current-password" required>
            """
    }
}
