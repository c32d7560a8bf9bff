import ControlClient
import ControlMessages
import Coordination
import CryptoPrimitives
import HTTPTypes
import NetTypes
import SignIn
import Testing

@testable import ControlServer

private let password = "correct horse battery"

extension TestServer {
    /// A user with a password.
    func addUser(
        _ name: String, role: UserRole = .member, _ typed: String = password,
        temporary: Bool = false
    ) async throws {
        let hash = try #require(PasswordHash.make(typed, cost: .least))
        let user = try await server.owner.perform(by: .commandLine) { coordinator, now, _ in
            try coordinator.createUser(name: name, role: role, at: now.wall)
        }
        try await server.owner.attend(by: .commandLine) { desk, coordinator, now, random in
            desk.accounts.setPassword(
                of: user, hash: hash, isTemporary: temporary, in: coordinator.state, at: now.wall,
                random: &random)
        }
    }

    func code(_ secret: String) -> String {
        OneTimeCode.code(
            secret: decodedBase32(secret), step: OneTimeCode.step(at: ServerClock().now.wall))
    }
}

private func decodedBase32(_ text: String) -> [UInt8] {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
    var (bits, buffer) = (0, 0)
    var bytes: [UInt8] = []
    for character in text {
        buffer = (buffer << 5 | alphabet.firstIndex(of: character)!) & 0xFFF
        bits += 5
        if bits >= 8 {
            bits -= 8
            bytes.append(UInt8(buffer >> bits & 0xFF))
        }
    }
    return bytes
}

extension TestBrowser {
    mutating func signIn(_ name: String, _ typed: String = password) async throws -> Reply {
        try await get("/sign-in")
        return try await post("/sign-in", [("name", name), ("password", typed)])
    }

    /// The text between two others in the last page.
    func between(_ start: String, _ end: Character) -> String {
        String(last.body.split(separator: start).dropFirst().first?.prefix { $0 != end } ?? "")
    }
}

@Suite(.timeLimit(.minutes(2))) struct SignInPageTests {
    @Test("A machine joins by password and one-time code")
    func join() async throws {
        let test = try await TestServer { settings in
            var signIn = SignInSettings()
            signIn.passwordCost = .least
            signIn.requiresSecondFactor = true
            settings.accounts = Accounts(
                settings: signIn, secrets: AccountSecrets(SecretBytes()))
        }
        try await test.addUser("anna")
        let node = try TestNode("laptop", port: test.server.port)
        let asked = try await node.client.register(node.registration())
        let path = String(asked.authURL.dropFirst("http://127.0.0.1".count))
        var browser = TestBrowser(port: test.server.port)
        var page = try await browser.get(path)
        #expect(page.status == 200 && page.body.contains("laptop"))
        #expect(page.body.contains("name=\"password\""))
        let device = String(path.dropFirst("/register/".count))
        try await browser.post(
            "/sign-in", [("name", "anna"), ("password", password), ("device", device)])
        page = try await browser.follow()
        #expect(page.body.contains("<svg class=\"qr\""))
        let secret = browser.between("<code id=\"secret\">", "<").filter { $0 != " " }
        let attempt = browser.between("action=\"/sign-in/", "\"")
        page = try await browser.post("/sign-in/\(attempt)", [("code", test.code(secret))])
        #expect(page.status == 200 && page.body.components("<li>") == 10)
        try await browser.post("/sign-in/\(attempt)", [])
        page = try await browser.follow()
        #expect(page.status == 200 && page.body.contains("Is this machine yours?"))
        #expect(page.body.contains(node.nodeKey.publicKey.shortText))
        #expect(page.body.contains("127.0.0.1"))
        // The node waits meanwhile, and goes on by itself.
        async let registered = node.client.register(node.registration(followup: asked.authURL))
        page = try await browser.post(path, [("answer", "yes")])
        #expect(page.status == 200 && page.body.contains("laptop is in"))
        let answer = try await registered
        #expect(answer.isMachineAuthorized && answer.login.loginName == "anna")
        // The link was good once.
        #expect(try await browser.get(path).status == 404)
        let actions = test.store.audit.map(\.action)
        #expect(actions.contains(.secondFactorSetUp) && actions.contains(.signIn))
        let joined = test.store.audit.first { $0.action == .nodeJoined }
        #expect(joined?.initiator.name == "anna" && joined?.initiator.kind == .user)
        #expect(joined?.detail == "user anna, by sign-in")
        await test.stop()
    }

    @Test("A refused machine is told so")
    func refused() async throws {
        let test = try await TestServer()
        try await test.addUser("anna")
        let node = try TestNode("stranger", port: test.server.port)
        let asked = try await node.client.register(node.registration())
        let path = String(asked.authURL.dropFirst("http://127.0.0.1".count))
        var browser = TestBrowser(port: test.server.port)
        _ = try await browser.signIn("anna")
        try await browser.get(path)
        try await browser.post(path, [("answer", "no")])
        await #expect(throws: (any Error).self) {
            let answer = try await node.client.register(
                node.registration(followup: asked.authURL))
            // An error in the answer is one too.
            if !answer.error.isEmpty { throw TestNodeRefused() }
        }
        #expect(test.store.audit.contains { $0.action == .loginRejected })
        await test.stop()
    }

    private struct TestNodeRefused: Error {}

    @Test("A form without this browser's token does nothing")
    func forged() async throws {
        let test = try await TestServer()
        try await test.addUser("anna")
        var browser = TestBrowser(port: test.server.port)
        // No cookie at all, as from another site with strict cookies.
        #expect(
            try await browser.post("/sign-in", [("name", "anna"), ("password", password)])
                .status == 403)
        _ = try await browser.signIn("anna")
        #expect(try await browser.follow().status == 200)
        let good = browser.last.formToken
        var other = TestBrowser(port: test.server.port)
        let foreign = try await other.get("/sign-in").formToken
        for token in ["", foreign, String(good.dropLast()), good.uppercased() + "0"] {
            let fields = [
                ("current", password), ("new", "another password"), ("again", "another password"),
            ]
            #expect(
                try await browser.post("/account/password", fields, token: token).status == 403)
        }
        // A browser that says the form came from elsewhere is believed.
        #expect(
            try await browser.post(
                "/sign-out", [], token: good, extra: ["Sec-Fetch-Site: cross-site"]
            ).status == 403)
        #expect(try await browser.get("/account").status == 200)
        await test.stop()
    }

    @Test("Pages load nothing, run nothing, are framed nowhere and kept nowhere")
    func headers() async throws {
        let test = try await TestServer()
        var browser = TestBrowser(port: test.server.port)
        for path in ["/", "/sign-in", "/register/nothing", "/nowhere", "/sign-in/0123"] {
            let page = try await browser.get(path)
            let policy = try #require(page.header("content-security-policy"))
            #expect(policy.hasPrefix("default-src 'none'; style-src 'sha256-"))
            #expect(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"))
            #expect(page.header("x-frame-options") == "DENY")
            #expect(page.header("cache-control") == "no-store")
            #expect(page.header("x-content-type-options") == "nosniff")
            #expect(page.header("referrer-policy") == "no-referrer")
            for text in ["<script", "src=", "url(", "@import"] {
                #expect(!page.body.contains(text))
            }
        }
        let cookie = try #require(
            browser.last.headers.isEmpty ? nil : browser.cookies["skein-browser"])
        #expect(cookie.count == 64)
        await test.stop()
    }

    @Test("Over TLS cookies are secure and bound to the host")
    func cookies() {
        let secure = CookieJar(isSecure: true).setting(.session, "x", seconds: 60)
        #expect(
            secure == "__Host-skein-session=x; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure")
        let plain = CookieJar(isSecure: false)
        #expect(
            plain.setting(.browser, "x", seconds: 0)
                == "skein-browser=x; Path=/; Max-Age=0; HttpOnly; SameSite=Lax")
        // Two of one name come from somebody who planted one.
        #expect(plain.value(.session, in: [.cookie: "skein-session=a; skein-session=b"]) == nil)
        #expect(plain.value(.session, in: [.cookie: "a=b; skein-session=c"]) == "c")
    }

    @Test(
        "Whoever is not signed in sees no page of those who are",
        arguments: [
            "/account", "/admin/users", "/admin/machines", "/admin/audit",
        ])
    func closed(path: String) async throws {
        let test = try await TestServer()
        var browser = TestBrowser(port: test.server.port)
        let page = try await browser.get(path)
        #expect(page.status == 303 && page.location == "/sign-in")
        browser.cookies["skein-session"] = String(repeating: "ab", count: 32)
        #expect(try await browser.get(path).location == "/sign-in")
        await test.stop()
    }

    @Test("A wrong name looks like a wrong password")
    func sameAnswer() async throws {
        let test = try await TestServer()
        try await test.addUser("anna")
        var bodies: [String] = []
        for name in ["anna", "nobody"] {
            var browser = TestBrowser(port: test.server.port)
            let reply = try await browser.signIn(name, "wrong")
            #expect(reply.status == 422)
            bodies.append(
                reply.body.replacing(name, with: "NAME")
                    .replacing(reply.formToken, with: "TOKEN"))
        }
        #expect(bodies[0] == bodies[1])
        await test.stop()
    }

    @Test("What is shown is text, whatever a machine or a user is called")
    func escaped() async throws {
        let test = try await TestServer()
        try await test.addUser("anna", role: .owner)
        let node = try TestNode("<script>alert(1)</script>\"'&", port: test.server.port)
        let asked = try await node.client.register(node.registration())
        var browser = TestBrowser(port: test.server.port)
        let page = try await browser.get(String(asked.authURL.dropFirst("http://127.0.0.1".count)))
        #expect(page.body.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;"))
        #expect(!page.body.contains("<script"))
        let again = try await browser.post(
            "/sign-in", [("name", "\"><b>"), ("password", "x"), ("device", "\"><i>")])
        #expect(!again.body.contains("<b>") && !again.body.contains("<i>"))
        await test.stop()
    }

    @Test("A password is changed by who knows it, and everything else is signed out")
    func changed() async throws {
        let test = try await TestServer()
        try await test.addUser("anna")
        var home = TestBrowser(port: test.server.port)
        var work = TestBrowser(port: test.server.port)
        _ = try await home.signIn("anna")
        _ = try await work.signIn("anna")
        #expect(try await work.follow().status == 200)
        try await home.follow()
        var fields = [
            ("current", "wrong password"), ("new", "brand new words"), ("again", "brand new words"),
        ]
        #expect(try await home.post("/account/password", fields).status == 422)
        fields[0].1 = password
        fields[2].1 = "other new words"
        #expect(try await home.post("/account/password", fields).status == 422)
        fields[2].1 = "brand new words"
        #expect(try await home.post("/account/password", fields).status == 200)
        #expect(try await home.get("/account").status == 200)
        #expect(try await work.get("/account").status == 303)
        #expect(try await work.signIn("anna").status == 422)
        #expect(try await work.signIn("anna", "brand new words").status == 303)
        await test.stop()
    }

    @Test("A given password is changed before anything else")
    func given() async throws {
        let test = try await TestServer()
        try await test.addUser("ben", "given-to-ben-once", temporary: true)
        var browser = TestBrowser(port: test.server.port)
        _ = try await browser.signIn("ben", "given-to-ben-once")
        let page = try await browser.follow()
        #expect(page.body.contains("Choose a password"))
        #expect(try await browser.get("/account").status == 303)
        try await browser.get("/sign-in")
        _ = try await browser.signIn("ben", "given-to-ben-once")
        try await browser.follow()
        let attempt = browser.between("action=\"/sign-in/", "\"")
        let short = try await browser.post(
            "/sign-in/\(attempt)", [("new", "short"), ("again", "short")])
        #expect(short.status == 422)
        try await browser.post(
            "/sign-in/\(attempt)", [("new", "chosen by himself"), ("again", "chosen by himself")])
        #expect(try await browser.follow().status == 200)
        await test.stop()
    }
}

extension String {
    fileprivate func components(_ separator: String) -> Int {
        split(separator: separator, omittingEmptySubsequences: false).count - 1
    }
}
