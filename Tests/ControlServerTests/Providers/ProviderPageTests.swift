import ControlClient
import ControlMessages
import Coordination
import NetTypes
import OpenIDConnect
import SignIn
import Testing

@testable import ControlServer

enum ServerTime {
    static var seconds: Int64 { ServerClock().now.wall.unixSeconds }
}

extension ProviderConfiguration {
    /// As the hostile provider expects it.
    static func test(
        _ provider: HostileProvider, name: String = "corp",
        admission: ProviderAdmission = ProviderAdmission()
    ) -> ProviderConfiguration {
        let client = OAuthClient(
            id: "skein", secret: .inline(SecretText("hush")), scopes: ["openid", "email"])
        let rules = ProviderRules(createsUsers: true, admission: admission)
        return ProviderConfiguration(
            ProviderSettings(name: name, label: "Corp Ltd", rules: rules),
            .openID(OpenIDSettings(issuer: provider.issuer, client: client)))
    }
}

extension TestBrowser {
    /// Goes to the provider, agrees there, and comes back.
    @discardableResult
    mutating func signIn(
        at provider: HostileProvider, name: String = "corp", device: String = ""
    ) async throws -> Reply {
        try await get("/login/with/\(name)" + (device.isEmpty ? "" : "?device=\(device)"))
        #expect(last.status == 303 && last.location.hasPrefix(provider.issuer + "/authorize?"))
        return try await get(try provider.authorize(last.location))
    }

    var isSignedIn: Bool { cookies["skein-session"] != nil }
}

@Suite(.timeLimit(.minutes(2))) struct ProviderPageTests {
    private func server(
        _ provider: HostileProvider, admission: ProviderAdmission = ProviderAdmission()
    ) async throws -> TestServer {
        try await TestServer { settings in
            settings.providers = [.test(provider, admission: admission)]
        }
    }

    @Test("A machine joins by a provider's word")
    func join() async throws {
        let provider = try await HostileProvider()
        let test = try await server(provider)
        let node = try TestNode("laptop", port: test.server.port)
        let asked = try await node.client.register(node.registration())
        let path = String(asked.authURL.dropFirst("http://127.0.0.1".count))
        let device = String(path.dropFirst("/register/".count))
        var browser = TestBrowser(port: test.server.port)
        let choice = try await browser.get(path)
        #expect(choice.body.contains("href=\"/login/with/corp?device=\(device)\""))
        #expect(choice.body.contains("Sign in with Corp Ltd"))
        #expect(choice.body.contains("name=\"password\""))
        try await browser.signIn(at: provider, device: device)
        let page = try await browser.follow()
        #expect(page.body.contains("Is this machine yours?") && page.body.contains("cleo"))
        async let registered = node.client.register(node.registration(followup: asked.authURL))
        try await browser.post(path, [("answer", "yes")])
        let answer = try await registered
        #expect(answer.isMachineAuthorized && answer.login.loginName == "cleo")
        let user = try #require(
            await test.server.owner.read { coordinator, _ in coordinator.state.user(name: "cleo") })
        #expect(user.identities == [UserIdentity(provider: provider.issuer, subject: "7")])
        #expect(user.groups == ["dev"] && user.email == "cleo@example.org")
        let entry = test.store.audit.last { $0.action == .signIn }
        #expect(entry?.isRefused == false && entry?.detail.contains("corp") == true)
        await test.stop()
        await provider.stop()
    }

    @Test("Who signs in again is the same user", arguments: ["ES256", "RS256", "PS256"])
    func again(algorithm: String) async throws {
        let provider = try await HostileProvider { tweaks in
            tweaks.algorithm = algorithm
            tweaks.keyID = algorithm == "ES256" ? "1" : "rsa"
        }
        let test = try await server(provider)
        for name in ["cleo", "renamed"] {
            provider.tweak { $0.claims["preferred_username"] = .text(name) }
            var browser = TestBrowser(port: test.server.port)
            try await browser.signIn(at: provider)
            #expect(browser.isSignedIn && browser.last.location == "/account")
        }
        let names = await test.server.owner.read { coordinator, _ in
            coordinator.state.users.values.map(\.name)
        }
        #expect(names == ["cleo"])
        await test.stop()
        await provider.stop()
    }

    struct Attack: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var reason: String
        var change: @Sendable (inout HostileProvider.Tweaks) -> Void
        init(
            _ name: String, _ reason: String,
            _ change: @escaping @Sendable (inout HostileProvider.Tweaks) -> Void
        ) {
            testDescription = name
            self.reason = reason
            self.change = change
        }
    }

    static let attacks: [Attack] = [
        Attack("wrong nonce", "nonce") { $0.claims["nonce"] = .text("other") },
        Attack("no nonce", "nonce") { $0.claims["nonce"] = .some(nil) },
        Attack("algorithm none", "none, which is not allowed") { $0.algorithm = "none" },
        Attack("HS256 with the public key", "HS256, which is not allowed") {
            $0.algorithm = "HS256"
        },
        Attack("a stranger's key under the known name", "signature is wrong") {
            $0.key = TestKeys.stranger
        },
        Attack("a key that is not published", "does not publish") { $0.keyID = "2" },
        Attack("another kind of key under the name", "does not publish") {
            $0.algorithm = "RS256"
        },
        Attack("another issuer", "another issuer") { $0.claims["iss"] = .text("https://evil") },
        Attack("another client", "somebody else (aud)") { $0.claims["aud"] = .text("other") },
        Attack("several clients, for another", "(azp)") {
            $0.claims["aud"] = .list(["skein", "other"])
            $0.claims["azp"] = .text("other")
        },
        Attack("expired", "expired") { $0.claims["exp"] = .number(ServerTime.seconds - 121) },
        Attack("of the future", "future") { $0.claims["iat"] = .number(ServerTime.seconds + 600) },
        Attack("old", "older than the sign-in") {
            $0.claims["iat"] = .number(ServerTime.seconds - 600)
        },
        Attack("nobody", "names nobody") { $0.claims["sub"] = .text("") },
        Attack("user information of another", "somebody else") { $0.userInfo = "{\"sub\":\"8\"}" },
        Attack("an answer that names another issuer", "another issuer") {
            $0.answer["iss"] = "https://evil.example"
        },
        Attack("a code that was never given", "invalid_grant") { $0.answer["code"] = "stolen" },
        Attack("refused by the person", "access_denied") {
            $0.answer = ["code": nil, "error": "access_denied"] as [String: String?]
        },
        Attack("a huge answer", "longer than") { $0.replies["/token"] = .huge(4 << 20) },
        Attack("a redirect with the code", "redirects are not followed") {
            $0.replies["/token"] = .redirect("/elsewhere")
        },
        Attack("no JSON", "no JSON") { $0.replies["/token"] = .json(200, "<html>") },
        Attack("no token", "no id_token") {
            $0.replies["/token"] = .json(200, "{\"access_token\":\"x\",\"token_type\":\"Bearer\"}")
        },
        Attack("an error of its own", "status 500") { $0.replies["/token"] = .json(500, "") },
    ]

    @Test(
        "A hostile provider signs nobody in, and the audit log has the reason", arguments: attacks)
    func hostile(attack: Attack) async throws {
        let provider = try await HostileProvider(attack.change)
        let test = try await server(provider)
        var browser = TestBrowser(port: test.server.port)
        let page = try await browser.signIn(at: provider)
        #expect(page.status == 409 && page.body.contains("Nobody was signed in"))
        #expect(!browser.isSignedIn)
        #expect(!page.body.contains("code-") && !page.body.contains("hush"))
        let entry = try #require(test.store.audit.last)
        #expect(entry.action == .signIn && entry.isRefused)
        #expect(
            entry.object == "somebody at corp" && entry.detail.contains(attack.reason),
            "\(entry.detail)")
        #expect(!provider.requests.contains("/elsewhere"))
        let users = await test.server.owner.read { coordinator, _ in coordinator.state.users.count }
        #expect(users == 0)
        await test.stop()
        await provider.stop()
    }

    @Test("An answer is good once, and in the browser that asked")
    func replayed() async throws {
        let provider = try await HostileProvider()
        let test = try await server(provider)
        var browser = TestBrowser(port: test.server.port)
        try await browser.get("/login/with/corp")
        let callback = try provider.authorize(browser.last.location)
        var thief = TestBrowser(port: test.server.port)
        try await thief.get("/sign-in")
        #expect(try await thief.get(callback).status == 409)
        // What the thief tried has not used it up.
        #expect(try await browser.get(callback).status == 303)
        #expect(browser.isSignedIn && !thief.isSignedIn)
        #expect(try await browser.get(callback).status == 409)
        // What belongs to no sign-in of the browser is not written down: anybody can do it.
        #expect(!test.store.audit.contains { $0.isRefused })
        await test.stop()
        await provider.stop()
    }

    @Test("What one provider answers is no answer of another (mix-up)")
    func mixedUp() async throws {
        let honest = try await HostileProvider()
        let evil = try await HostileProvider()
        let test = try await TestServer { settings in
            settings.providers = [.test(honest), .test(evil, name: "evil")]
        }
        var browser = TestBrowser(port: test.server.port)
        // The person wants to go to the one, and is sent on to the other, which answers here.
        try await browser.get("/login/with/evil")
        let callback = try honest.authorize(browser.last.location)
        #expect(callback.hasPrefix("/callback/evil?"))
        let crossed = "/callback/corp" + callback.dropFirst("/callback/evil".count)
        #expect(try await browser.get(crossed).status == 409)
        #expect(!honest.requests.contains("/token"))
        // At its own address the code goes to the provider that was asked, and it knows it not.
        #expect(try await browser.get(callback).status == 409)
        #expect(!browser.isSignedIn && !honest.requests.contains("/token"))
        await test.stop()
        await honest.stop()
        await evil.stop()
    }

    @Test("A provider that is down keeps neither the server nor others from working")
    func outage() async throws {
        let good = try await HostileProvider()
        let bad = try await HostileProvider {
            $0.replies["/.well-known/openid-configuration"] = .json(503, "")
        }
        let test = try await TestServer { settings in
            settings.providers = [.test(bad, name: "bad"), .test(good)]
        }
        var browser = TestBrowser(port: test.server.port)
        let page = try await browser.get("/login/with/bad")
        #expect(page.status == 409 && page.body.contains("does not answer"))
        // It is not asked at once again.
        try await browser.get("/login/with/bad")
        #expect(bad.requests.count == 1)
        try await browser.signIn(at: good)
        #expect(browser.isSignedIn)
        await test.stop()
        await good.stop()
        await bad.stop()
    }

    @Test("Who is not among the allowed stays outside")
    func admission() async throws {
        var admission = ProviderAdmission()
        admission.groups = ["ops"]
        let provider = try await HostileProvider()
        let test = try await server(provider, admission: admission)
        var browser = TestBrowser(port: test.server.port)
        let page = try await browser.signIn(at: provider)
        #expect(page.status == 409 && page.body.contains("not among those"))
        #expect(test.store.audit.last?.detail == "not in an allowed group")
        provider.tweak { $0.userInfo = "{\"sub\":\"7\",\"groups\":[\"ops\"]}" }
        try await browser.signIn(at: provider)
        #expect(browser.isSignedIn)
        await test.stop()
        await provider.stop()
    }

    @Test("A provider without OpenID Connect tells by its user information who somebody is")
    func oauth2() async throws {
        let provider = try await HostileProvider { tweaks in
            tweaks.userInfo = "{\"id\":583231,\"login\":\"octocat\",\"name\":\"Mona\"}"
        }
        let test = try await TestServer { settings in
            let claims = ClaimNames(
                subject: "id", userName: "login", displayName: "name", email: "email",
                emailVerified: "", groups: "")
            let client = OAuthClient(
                id: "skein", secret: .inline(SecretText("hush")), scopes: ["read:user"])
            let oauth2 = OAuth2Settings(
                client: client, authorizationEndpoint: provider.issuer + "/authorize",
                tokenEndpoint: provider.issuer + "/token",
                userInfoEndpoint: provider.issuer + "/user", claims: claims)
            settings.providers = [
                ProviderConfiguration(
                    ProviderSettings(name: "hub", rules: ProviderRules(createsUsers: true)),
                    .oauth2(oauth2))
            ]
        }
        var browser = TestBrowser(port: test.server.port)
        try await browser.signIn(at: provider, name: "hub")
        #expect(browser.isSignedIn)
        let user = try #require(
            await test.server.owner.read { coordinator, _ in
                coordinator.state.user(name: "octocat")
            })
        #expect(user.displayName == "Mona")
        #expect(
            user.identities == [
                UserIdentity(provider: provider.issuer + "/user", subject: "583231")
            ])
        #expect(!provider.requests.contains("/keys"))
        await test.stop()
        await provider.stop()
    }

    @Test("A form from elsewhere neither signs in nor touches the browser's cookie")
    func crossSitePost() async throws {
        let provider = try await HostileProvider()
        let test = try await server(provider)
        var browser = TestBrowser(port: test.server.port)
        let reply = try await browser.post("/callback/corp", [("code", "x")], token: "")
        #expect(reply.status == 404 && reply.header("set-cookie") == nil)
        #expect(try await browser.get("/login/with/none").status == 404)
        #expect(try await browser.get("/callback/none?code=x").status == 404)
        await test.stop()
        await provider.stop()
    }
}
