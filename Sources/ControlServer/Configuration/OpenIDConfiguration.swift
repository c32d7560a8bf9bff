import NetTypes
import OpenIDConnect
import SignIn

private let clientKeys = [
    "client_id", "client_secret", "client_secret_file", "client_authentication", "scopes",
    "trust_file",
]

extension OpenIDSettings {
    static let configurationKeys =
        clientKeys + [
            "issuer", "user_claim", "display_name_claim", "groups_claim", "algorithms", "user_info",
        ]

    init(_ reader: ConfigurationReader) throws(ConfigurationError) {
        let issuer = try reader.providerURL("issuer")
        guard !issuer.contains("?"), !issuer.hasSuffix("/.well-known/openid-configuration") else {
            throw reader.error(
                "issuer", issuer, "write what stands before /.well-known/openid-configuration")
        }
        self.init(
            issuer: issuer,
            client: try OAuthClient(
                reader, issuer: issuer, scopes: ["openid", "profile", "email"]))
        guard client.scopes.contains("openid") else {
            throw reader.error("scopes", client.scopes.joined(separator: " "), "openid is needed")
        }
        if let name = try reader.claimName("user_claim") { claims.userName = name }
        if let name = try reader.claimName("display_name_claim") { claims.displayName = name }
        if let name = try reader.claimName("groups_claim") { claims.groups = name }
        asksForUserInfo = try reader.bool("user_info") ?? true
        guard let names = try reader.strings("algorithms") else { return }
        algorithms = []
        for name in names {
            guard let algorithm = SignatureAlgorithm(rawValue: name) else {
                let known = SignatureAlgorithm.allCases.map(\.rawValue).joined(separator: ", ")
                throw reader.error("algorithms", name, "write some of: \(known)")
            }
            algorithms.append(algorithm)
        }
        guard !algorithms.isEmpty else {
            throw reader.error("algorithms", "", "write at least one, or leave the key out")
        }
    }
}

extension OAuth2Settings {
    static let configurationKeys =
        clientKeys + [
            "authorization_endpoint", "token_endpoint", "userinfo_endpoint", "subject_field",
            "user_field", "display_name_field", "email_field", "email_verified_field",
            "groups_field", "emails_are_verified",
        ]

    init(_ reader: ConfigurationReader) throws(ConfigurationError) {
        // The names that GitHub has, because most who need this want that.
        var claims = ClaimNames(
            subject: "id", userName: "login", displayName: "name", email: "email",
            emailVerified: "", groups: "")
        if let name = try reader.claimName("subject_field") { claims.subject = name }
        if let name = try reader.claimName("user_field") { claims.userName = name }
        if let name = try reader.claimName("display_name_field") { claims.displayName = name }
        if let name = try reader.claimName("email_field") { claims.email = name }
        if let name = try reader.claimName("email_verified_field") { claims.emailVerified = name }
        if let name = try reader.claimName("groups_field") { claims.groups = name }
        let userInfo = try reader.providerURL("userinfo_endpoint")
        self.init(
            client: try OAuthClient(reader, issuer: userInfo, scopes: []),
            authorizationEndpoint: try reader.providerURL("authorization_endpoint"),
            tokenEndpoint: try reader.providerURL("token_endpoint"),
            userInfoEndpoint: userInfo, claims: claims)
        verifiesEmails = try reader.bool("emails_are_verified") ?? false
    }
}

extension OAuthClient {
    fileprivate init(
        _ reader: ConfigurationReader, issuer: String, scopes: [String]
    ) throws(ConfigurationError) {
        guard let id = try reader.string("client_id"), (1...256).contains(id.utf8.count) else {
            throw reader.wrongType("client_id", "what the provider calls this server, in quotes")
        }
        self.init(id: id, scopes: try reader.strings("scopes") ?? scopes)
        for scope in self.scopes where scope.isEmpty || scope.contains(" ") {
            throw reader.error("scopes", scope, "write each scope by itself")
        }
        let inline = try reader.string("client_secret")
        let file = try reader.string("client_secret_file")
        switch (inline, file) {
        case (nil, nil): break
        case (let text?, nil):
            guard !text.isEmpty else {
                throw reader.wrongType("client_secret", "the secret, or left out")
            }
            secret = .inline(SecretText(text))
        case (nil, let path?):
            guard path.hasPrefix("/") else {
                throw reader.error("client_secret_file", path, "write a path that begins with /")
            }
            secret = .file(path)
        case (_?, let path?):
            throw reader.error(
                "client_secret_file", path, "there is client_secret already; leave one out")
        }
        if let text = try reader.string("client_authentication") {
            guard let method = Authentication(rawValue: text) else {
                throw reader.error("client_authentication", text, "write basic or post")
            }
            authentication = method
        }
        trustFile = try reader.string("trust_file")
    }
}

extension ConfigurationReader {
    /// An address of a provider: `https`, or `http` on this machine, where no network is between.
    func providerURL(_ path: String) throws(ConfigurationError) -> String {
        guard let text = try string(path) else {
            throw wrongType(path, "an address that begins with https://")
        }
        guard ProviderURL(text) != nil else {
            throw error(
                path, text,
                "write https://HOST/PATH; http is accepted at 127.0.0.1, [::1] and localhost only")
        }
        return text
    }

    func claimName(_ path: String) throws(ConfigurationError) -> String? {
        guard let text = try string(path) else { return nil }
        guard (1...128).contains(text.utf8.count) else {
            throw error(path, text, "write the name of a field")
        }
        return text
    }
}
