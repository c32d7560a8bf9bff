import ControlClient
import ControlMessages
import ControlTransport
import Coordination
import CryptoPrimitives
import NetTypes
import SignIn
import SimulatedAuthenticator
import Testing
import WebAuthn

@testable import ControlServer

private let password = "correct horse battery"

/// What the page's script does: takes what a form asks for, and sends what the authenticator says.
extension TestBrowser {
    private func data(_ name: String) -> [UInt8] {
        Hexadecimal.decode(between("data-\(name)=\"", "\"")) ?? []
    }

    mutating func makePasskey(
        _ authenticator: inout SimulatedAuthenticator, named name: String, _ path: String,
        extra: [(String, String)] = [("action", "add")]
    ) async throws -> Reply {
        authenticator.userHandle = data("handle")
        let made = authenticator.register(data("challenge"))
        return try await post(
            path,
            extra + [
                ("client", Hexadecimal.encode(made.clientData)),
                ("attestation", Hexadecimal.encode(made.attestation)),
                ("transports", "internal hybrid"), ("name", name),
            ])
    }

    mutating func usePasskey(
        _ authenticator: SimulatedAuthenticator, _ path: String, device: String = ""
    ) async throws -> Reply {
        let signed = authenticator.sign(data("challenge"))
        return try await post(
            path,
            [
                ("device", device), ("credential", Hexadecimal.encode(signed.credential)),
                ("client", Hexadecimal.encode(signed.clientData)),
                ("authenticator", Hexadecimal.encode(signed.authenticatorData)),
                ("signature", Hexadecimal.encode(signed.signature)),
                ("handle", Hexadecimal.encode(signed.userHandle)),
            ])
    }
}

@Suite(.timeLimit(.minutes(2))) struct PasskeyPageTests {
    private func server(
        _ edit: (inout SignInSettings) -> Void = { _ in }
    ) async throws -> TestServer {
        var signIn = SignInSettings()
        signIn.passwordCost = .least
        signIn.relyingParty = RelyingParty(serverURL: "https://mesh.example.org", name: "Skein")
        edit(&signIn)
        let accounts = Accounts(settings: signIn, secrets: AccountSecrets(SecretBytes()))
        return try await TestServer { $0.accounts = accounts }
    }

    private func authenticator(_ id: UInt8 = 1) -> SimulatedAuthenticator {
        SimulatedAuthenticator(
            party: "mesh.example.org", origin: "https://mesh.example.org",
            credential: [id] + [UInt8](repeating: 7, count: 15))
    }

    /// Signs in by password and adds a passkey; leaves the browser at the page that shows the codes.
    private func addPasskey(
        _ browser: inout TestBrowser, _ authenticator: inout SimulatedAuthenticator
    ) async throws {
        _ = try await browser.signIn("anna")
        try await browser.follow()
        let page = try await browser.post(
            "/account/passkeys", [("action", "new"), ("current", password)])
        #expect(page.status == 200 && page.body.contains("data-passkey=\"create\" hidden"))
        let added = try await browser.makePasskey(
            &authenticator, named: "Phone & <key>", "/account/passkeys")
        #expect(added.status == 200 && added.body.contains("The passkey was added."))
        #expect(added.body.contains("ol class=\"codes"))
    }

    @Test("A passkey is added, signs in alone, lets a machine in, and is removed")
    func whole() async throws {
        let test = try await server()
        try await test.addUser("anna")
        var home = TestBrowser(port: test.server.port)
        var authenticator = authenticator()
        try await addPasskey(&home, &authenticator)
        let account = try await home.get("/account")
        #expect(account.body.contains("<h3>Phone &amp; &lt;key&gt;</h3>"))

        let node = try TestNode("laptop", port: test.server.port)
        let asked = try await node.client.register(node.registration())
        let path = String(asked.authURL.dropFirst("http://127.0.0.1".count))
        var phone = TestBrowser(port: test.server.port)
        try await phone.get(path)
        let entered = try await phone.usePasskey(
            authenticator, "/passkey", device: String(path.dropFirst("/register/".count)))
        #expect(entered.status == 303 && entered.location == path)
        #expect(try await phone.follow().body.contains("Is this machine yours?"))
        async let registered = node.client.register(node.registration(followup: asked.authURL))
        #expect(try await phone.post(path, [("answer", "yes")]).body.contains("laptop is in"))
        #expect(try await registered.isMachineAuthorized)

        // With a password it is the second factor.
        var other = TestBrowser(port: test.server.port)
        _ = try await other.signIn("anna")
        let second = try await other.follow()
        #expect(second.body.contains("Show your passkey") && second.body.contains("Recovery code"))
        let attempt = other.between("action=\"/sign-in/", "\"")
        #expect(
            try await other.usePasskey(authenticator, "/sign-in/\(attempt)").location == "/account")

        // It is removed by who knows the password.
        let id = Hexadecimal.encode(authenticator.credential)
        try await home.get("/account")
        #expect(
            try await home.post("/account/passkeys", [("action", "remove"), ("id", id)]).status
                == 422)
        let gone = try await home.post(
            "/account/passkeys", [("action", "remove"), ("id", id), ("current", password)])
        #expect(gone.status == 200 && !gone.body.contains("Phone"))
        var last = TestBrowser(port: test.server.port)
        try await last.get("/sign-in")
        let refused = try await last.usePasskey(authenticator, "/passkey")
        #expect(refused.status == 422 && refused.body.contains("That passkey was not accepted."))
        let actions = test.store.audit.map(\.action)
        #expect(actions.contains(.passkeyAdded) && actions.contains(.passkeyRemoved))
        await test.stop()
    }

    @Test("A form of another site, or one without an answer, signs nobody in")
    func forged() async throws {
        let test = try await server()
        try await test.addUser("anna")
        var home = TestBrowser(port: test.server.port)
        var authenticator = authenticator()
        try await addPasskey(&home, &authenticator)
        var browser = TestBrowser(port: test.server.port)
        try await browser.get("/sign-in")
        #expect(try await browser.post("/passkey", [("credential", "00")]).status == 422)
        #expect(try await browser.post("/passkey", [], token: "").status == 403)
        // A page of the same browser that lies at another site gets a signature for that site.
        try await browser.get("/sign-in")
        var fooled = authenticator
        fooled.origin = "https://mesh.example.org.evil.example"
        #expect(try await browser.usePasskey(fooled, "/passkey").status == 422)
        #expect(test.store.audit.last { $0.isRefused }?.detail.hasSuffix("another origin") == true)
        await test.stop()
    }

    @Test("Where a second factor is required, a passkey is set up at the first sign-in")
    func setUp() async throws {
        let test = try await server { $0.requiresSecondFactor = true }
        try await test.addUser("anna")
        var browser = TestBrowser(port: test.server.port)
        _ = try await browser.signIn("anna")
        let page = try await browser.follow()
        #expect(page.body.contains("Or use a passkey"))
        let attempt = browser.between("action=\"/sign-in/", "\"")
        var authenticator = authenticator()
        let codes = try await browser.makePasskey(
            &authenticator, named: "", "/sign-in/\(attempt)", extra: [])
        #expect(codes.status == 200 && codes.body.contains("ol class=\"codes"))
        try await browser.post("/sign-in/\(attempt)", [])
        #expect(try await browser.follow().body.contains("<h3>Passkey 1</h3>"))
        await test.stop()
    }

    @Test("Without a password a passkey is the only way, and the last one stays")
    func only() async throws {
        let test = try await server()
        try await test.addUser("anna")
        var browser = TestBrowser(port: test.server.port)
        var authenticator = authenticator()
        try await addPasskey(&browser, &authenticator)
        try await browser.get("/account")
        let gone = try await browser.post(
            "/account/passkeys", [("action", "no-password"), ("current", password)])
        #expect(gone.status == 200 && gone.body.contains("Your password was removed."))
        var other = TestBrowser(port: test.server.port)
        #expect(try await other.signIn("anna").status == 422)
        try await other.get("/sign-in")
        #expect(try await other.usePasskey(authenticator, "/passkey").status == 303)
        // Having just signed in is proof enough.
        try await other.follow()
        let id = Hexadecimal.encode(authenticator.credential)
        let kept = try await other.post(
            "/account/passkeys", [("action", "remove"), ("id", id)])
        #expect(kept.status == 422 && kept.body.contains("only way"))
        await test.stop()
    }

    @Test("Only pages with such a form run a script, and only that one")
    func policy() async throws {
        let test = try await server()
        var browser = TestBrowser(port: test.server.port)
        let page = try await browser.get("/sign-in")
        let script = String(
            page.body.split(separator: "<script>").last?.split(separator: "</script>").first ?? "")
        let bytes = Array(script.utf8)
        let hash = Base64.encode(unsafe SHA256.hash(bytes.span.bytes).array)
        let policy = try #require(page.header("content-security-policy"))
        #expect(policy.contains("script-src 'sha256-\(hash)';") && !policy.contains("unsafe"))
        #expect(!page.body.contains("onclick") && !page.body.contains("src="))
        for path in ["/", "/register/nothing", "/nowhere"] {
            let other = try await browser.get(path)
            #expect(other.header("content-security-policy")?.contains("script-src") == false)
            #expect(!other.body.contains("<script"))
        }
        await test.stop()
    }
}
