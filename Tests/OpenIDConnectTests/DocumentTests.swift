import ControlMessages
import NetTypes
import OpenIDConnect
import SignIn
import Testing

private let issuer = "https://id.example.org"

private func metadata(
    _ text: String, issuer: String = issuer
) throws(DocumentFault) -> ProviderMetadata {
    try ProviderMetadata(
        Array(text.utf8),
        for: OpenIDSettings(issuer: issuer, client: OAuthClient(id: "1", scopes: [])))
}

private func document(_ changes: [String: String?] = [:], issuer: String = issuer) -> String {
    var members: [String: String?] = [
        "issuer": "\"\(issuer)\"", "authorization_endpoint": "\"\(issuer)/a\"",
        "token_endpoint": "\"\(issuer)/t\"", "jwks_uri": "\"\(issuer)/k\"",
    ]
    for (name, value) in changes { members[name] = value }
    let text = members.sorted { $0.key < $1.key }
        .compactMap { name, value in value.map { "\"\(name)\":\($0)" } }
    return "{\(text.joined(separator: ","))}"
}

@Suite struct DocumentTests {
    @Test("A discovery document is read, with what it leaves out")
    func read() throws {
        let metadata = try metadata(
            document([
                "userinfo_endpoint": "\"\(issuer)/u\"",
                "token_endpoint_auth_methods_supported": "[\"client_secret_post\"]",
                "authorization_response_iss_parameter_supported": "true",
            ]))
        #expect(metadata.tokenEndpoint.text == "\(issuer)/t" && metadata.namesIssuerInAnswers)
        #expect(metadata.clientAuthentications == ["client_secret_post"])
        #expect(metadata.userInfoEndpoint?.host == "id.example.org")
        let least = try DocumentTests.least()
        #expect(least.userInfoEndpoint == nil && !least.namesIssuerInAnswers)
        #expect(least.clientAuthentications == ["client_secret_basic"])
    }

    private static func least() throws -> ProviderMetadata { try metadata(document()) }

    @Test(
        "A discovery document that cannot be right is refused, and says why",
        arguments: [
            ("issuer", "\"https://id.example.org/\"", "it is of the issuer"),
            ("issuer", "\"https://ID.example.org\"", "it is of the issuer"),
            ("token_endpoint", "\"http://id.example.org/t\"", "token_endpoint is no https"),
            ("token_endpoint", "\"http://127.0.0.1/t\"", "token_endpoint is no https"),
            ("jwks_uri", nil, "has no jwks_uri"), ("jwks_uri", "7", "jwks_uri makes no sense"),
            ("authorization_endpoint", "\"javascript:alert(1)\"", "no https"),
            (
                "id_token_signing_alg_values_supported", "[\"HS256\",\"none\"]",
                "signature algorithm"
            ),
            ("code_challenge_methods_supported", "[\"plain\"]", "S256"),
            ("response_types_supported", "[\"id_token\"]", "code flow"),
        ] as [(String, String?, String)])
    func refused(name: String, value: String?, words: String) {
        let fault = #expect(throws: DocumentFault.self) {
            try metadata(document([name: value]))
        }
        #expect("\(fault.map { "\($0)" } ?? "")".contains(words))
    }

    @Test("Addresses without TLS are for a provider on this machine that is itself at one")
    func plain() throws {
        let here = "http://127.0.0.1:9000"
        #expect(
            try metadata(document(issuer: here), issuer: here).tokenEndpoint.isSecure == false)
    }

    @Test(
        "Addresses are told from what only looks like one",
        arguments: [
            ("https://a.b/c?d=e", true), ("https://a.b:8443", true),
            ("https://[2001:db8::1]/x", true),
            ("http://localhost:1/", true), ("http://[::1]:80", true), ("http://127.9.9.9", true),
            ("http://a.b", false), ("http://127.0.0.1.a.b", false), ("https://", false),
            ("https://a@b", false), ("https://a.b#c", false), ("https://a.b:+80", false),
            ("https://a.b:0", false), ("https://a.b:99999", false), ("https://[x]/", false),
            ("https://a b", false), ("ftp://a", false), ("//a", false), ("https://a\\b", false),
        ])
    func addresses(text: String, isOne: Bool) { #expect((ProviderURL(text) != nil) == isOne) }

    @Test(
        "A document is read to the letter",
        arguments: [
            "{\"a\":1,\"a\":2}", "[]", "{", "", "\"x\"",
            "{\"a\":" + String(repeating: "[", count: 40),
        ])
    func exact(text: String) {
        #expect(throws: DocumentFault.self) { try ProviderDocument(Array(text.utf8)) }
    }

    @Test("Names match in their own case only")
    func cases() throws {
        let document = try ProviderDocument(Array("{\"Sub\":\"x\"}".utf8))
        #expect(document["sub"] == nil && document["Sub"] == .string("x"))
    }

    @Test("A document that is too long is refused")
    func tooLong() {
        let text = "{\"a\":\"" + String(repeating: "x", count: ProviderDocument.byteLimit) + "\"}"
        #expect(throws: DocumentFault.notJSON) { try ProviderDocument(Array(text.utf8)) }
    }
}

@Suite struct KeySetTests {
    private static let ec =
        "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"\(zeros(32))\",\"y\":\"\(zeros(32))\""
    private static func zeros(_ count: Int) -> String {
        Base64.encodeURL([UInt8](repeating: 1, count: count))
    }

    private func keys(_ objects: [String]) throws(DocumentFault) -> [SigningKey] {
        let text = "{\"keys\":[\(objects.map { "{\($0)}" }.joined(separator: ","))]}"
        return try KeySet(Array(text.utf8), algorithms: SignatureAlgorithm.allCases).keys
    }

    @Test(
        "Keys of no use are left out",
        arguments: [
            "\"kty\":\"oct\",\"k\":\"AAAA\"",
            "\"kty\":\"RSA\",\"n\":\"\(zeros(128))\",\"e\":\"AQAB\"",
            "\"kty\":\"RSA\",\"n\":\"\(zeros(256))\",\"e\":\"AQAC\"",
            "\"kty\":\"RSA\",\"n\":\"\(zeros(2048))\",\"e\":\"AQAB\"",
            "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"\(zeros(31))\",\"y\":\"\(zeros(32))\"",
            "\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"\(zeros(32))\",\"y\":\"\(zeros(32))\"",
            "\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"\(zeros(32))\"", "\(ec),\"use\":\"enc\"",
            "\(ec),\"alg\":\"HS256\"", "", "\"kty\":7",
        ])
    func leftOut(key: String) throws {
        #expect(try keys([key, Self.ec]).count == 1)
        #expect(throws: DocumentFault.nothingUsable("key")) { try keys([key]) }
    }

    @Test("A key is used for the algorithms of its kind, or the one that it names")
    func fits() throws {
        let rsa = "\"kty\":\"RSA\",\"n\":\"\(Self.zeros(256))\",\"e\":\"AQAB\""
        let found = try keys([rsa, "\(rsa),\"alg\":\"PS256\"", Self.ec])
        #expect(found[0].fits(.rs256) && found[0].fits(.ps512) && !found[0].fits(.es256))
        #expect(found[1].fits(.ps256) && !found[1].fits(.rs256))
        #expect(found[2].fits(.es256) && !found[2].fits(.es384) && !found[2].fits(.edDSA))
    }

    @Test("There may be so many keys")
    func tooMany() {
        let many = [String](repeating: Self.ec, count: KeySet.limit + 1)
        #expect(throws: DocumentFault.tooMany("keys")) { try keys(many) }
    }
}
