import ControlServer
import Coordination
import OpenIDConnect
import SignIn
import Testing

@Suite struct ProviderConfigurationTests {
    private func read(_ text: String) throws(ConfigurationError) -> [ProviderConfiguration] {
        try ServerConfiguration(toml: text, file: "c.toml").providers
    }

    @Test("Every key of an OpenID Connect provider is read")
    func openID() throws {
        let provider = try #require(
            try read(
                """
                [[providers]]
                name = "corp"
                type = "oidc"
                label = "Corp Ltd"
                issuer = "https://id.example.org/realms/main"
                client_id = "skein"
                client_secret_file = "/etc/skein-server/corp.secret"
                client_authentication = "post"
                scopes = ["openid", "email", "groups"]
                user_claim = "nickname"
                display_name_claim = "given_name"
                groups_claim = "roles"
                algorithms = ["ES256", "EdDSA"]
                user_info = false
                trust_file = "/etc/ca.pem"
                create_users = true
                role = "operator"
                require_second_factor = true
                allowed_domains = ["example.org"]
                allowed_users = ["ada@example.org"]
                allowed_groups = ["mesh"]
                """
            ).first)
        var admission = ProviderAdmission()
        admission.domains = ["example.org"]
        admission.users = ["ada@example.org"]
        admission.groups = ["mesh"]
        let rules = ProviderRules(
            createsUsers: true, role: .operator, needsSecondFactorHere: true, admission: admission)
        var client = OAuthClient(
            id: "skein", secret: .file("/etc/skein-server/corp.secret"),
            scopes: ["openid", "email", "groups"])
        client.authentication = .post
        client.trustFile = "/etc/ca.pem"
        var settings = OpenIDSettings(issuer: "https://id.example.org/realms/main", client: client)
        settings.claims.userName = "nickname"
        settings.claims.displayName = "given_name"
        settings.claims.groups = "roles"
        settings.algorithms = [.es256, .edDSA]
        settings.asksForUserInfo = false
        #expect(
            provider
                == ProviderConfiguration(
                    ProviderSettings(name: "corp", label: "Corp Ltd", rules: rules),
                    .openID(settings)))
        #expect(
            provider.callbackURL("https://mesh.example.org")
                == "https://mesh.example.org/callback/corp")
    }

    @Test("Every key of a provider without OpenID Connect is read")
    func oauth2() throws {
        let provider = try #require(
            try read(
                """
                [[providers]]
                name = "hub"
                type = "oauth2"
                client_id = "1"
                client_secret = "hidden"
                scopes = ["read:user"]
                authorization_endpoint = "https://hub.example/authorize"
                token_endpoint = "https://hub.example/token"
                userinfo_endpoint = "https://api.hub.example/user"
                subject_field = "uid"
                user_field = "nick"
                display_name_field = "full"
                email_field = "mail"
                email_verified_field = "mail_ok"
                groups_field = "teams"
                emails_are_verified = true
                """
            ).first)
        var settings = OAuth2Settings(
            client: OAuthClient(
                id: "1", secret: .inline(SecretText("hidden")), scopes: ["read:user"]),
            authorizationEndpoint: "https://hub.example/authorize",
            tokenEndpoint: "https://hub.example/token",
            userInfoEndpoint: "https://api.hub.example/user",
            claims: ClaimNames(
                subject: "uid", userName: "nick", displayName: "full", email: "mail",
                emailVerified: "mail_ok", groups: "teams"))
        settings.verifiesEmails = true
        #expect(provider.method == .oauth2(settings))
        #expect(provider.settings.label == "hub")
        // Unless it is said, nobody becomes a user by signing in elsewhere.
        #expect(provider.settings.rules == ProviderRules(createsUsers: false))
        #expect(!"\(provider)".contains("hidden"))
    }

    @Test(
        "What makes no sense is refused with its line",
        arguments: [
            ("name = \"Corp\"", 8), ("name = \"local\"", 8), ("name = \"first\"", 8),
            ("type = \"saml3\"", 9), ("issuer = \"http://id.example.org\"", 10),
            ("issuer = \"https://id.example.org/.well-known/openid-configuration\"", 10),
            ("issuer = \"https://\"", 10), ("issuer = \"https://a@b\"", 10),
            ("client_id = \"\"", 11), ("algorithms = [\"HS256\"]", 12),
            ("algorithms = [\"none\"]", 12), ("algorithms = []", 12),
            ("scopes = [\"email\"]", 12), ("role = \"owner\"", 12), ("label = \"\"", 12),
            ("client_secret_file = \"corp.secret\"", 12), ("client_secret = \"\"", 12),
            ("client_authentication = \"jwt\"", 12), ("allowed_domains = [\"*.org\"]", 12),
            ("create_users = \"yes\"", 12), ("token_endpoint = \"https://x\"", 12),
            ("password = \"x\"", 12), ("user_claim = \"\"", 12),
        ])
    func refused(line: String, at number: Int) {
        var lines = [
            "[[providers]]", "name = \"first\"", "type = \"oidc\"",
            "issuer = \"https://first.example.org\"", "client_id = \"1\"", "", "[[providers]]",
            "name = \"second\"", "type = \"oidc\"", "issuer = \"http://127.0.0.1:9000/x\"",
            "client_id = \"2\"", "", "",
        ]
        lines[number - 1] = line
        let error = #expect(throws: ConfigurationError.self) {
            try read(lines.joined(separator: "\n"))
        }
        #expect(error?.line == number, "\(error?.description ?? "")")
    }
}
