import Coordination
import NetTypes
import SignIn
import Testing
import WebForms

@testable import OpenIDConnect

private struct SeededRandom: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

private func body(_ text: String) -> ProviderReply { .answer(status: 200, body: Array(text.utf8)) }

private struct Stayed: Error {}

/// The party under test on a clock that the test moves.
private struct Bench: ~Copyable {
    static let issuer = "https://id.example.org"
    var party: RelyingParty
    var random = SeededRandom(state: 7)
    var now = Moment(
        monotonic: MonotonicInstant(nanoseconds: 1), wall: Timestamp(unixSeconds: 1_800_000_000))

    init(authentication: OAuthClient.Authentication? = nil, namesIssuer: Bool = false) throws {
        var client = OAuthClient(
            id: "me", secret: .inline(SecretText("s&")), scopes: ["openid", "email"])
        client.authentication = authentication
        party = RelyingParty(
            ProviderSettings(name: "corp", rules: ProviderRules(createsUsers: true)),
            .openID(OpenIDSettings(issuer: Self.issuer, client: client)),
            secret: SecretText("s&"), callbackURL: "https://mesh.example/callback/corp")
        discover(try metadata(namesIssuer))
    }

    mutating func discover(_ metadata: ProviderMetadata) {
        let x = Base64.encodeURL([UInt8](repeating: 1, count: 32))
        let text = "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"1\",\"x\":\"\(x)\"}]}"
        guard let keys = try? party.keys(body(text)) else { return }
        party.noteDiscovery(metadata, keys, at: now)
    }

    func metadata(_ namesIssuer: Bool = false) throws -> ProviderMetadata {
        try party.metadata(
            body(
                """
                {"issuer":"\(Self.issuer)","authorization_endpoint":"\(Self.issuer)/a?x=1",
                "token_endpoint":"\(Self.issuer)/t","jwks_uri":"\(Self.issuer)/k",
                "authorization_response_iss_parameter_supported":\(namesIssuer)}
                """))
    }

    mutating func wait(_ time: Nanoseconds) {
        now = Moment(monotonic: now.monotonic + time, wall: now.wall + time)
    }

    static func visitor(_ number: UInt8) -> Visitor {
        Visitor(browser: BrowserID(Bytes32([UInt8](repeating: number, count: 32))), address: nil)
    }

    mutating func begin(_ visitor: UInt8 = 1) -> RelyingParty.Begin {
        party.begin(for: .account, Self.visitor(visitor), at: now, random: &random)
    }

    /// The fields of the address that a browser is sent to.
    mutating func fields(_ visitor: UInt8 = 1) throws -> FormFields {
        guard case .leave(let url) = begin(visitor) else { throw Stayed() }
        return FormFields(urlEncoded: url.drop { $0 != "?" }.dropFirst())
    }

    mutating func discovers() throws {
        let begun = begin()
        #expect(begun == .discover)
    }

    mutating func returned(_ query: String, _ visitor: UInt8 = 1) -> (
        ProviderRequest?, ProviderFailure?
    ) {
        switch party.handleReturn(FormFields(urlEncoded: query), Self.visitor(visitor), at: now) {
        case .exchange(_, let request): (request, nil)
        case .failed(let failure): (nil, failure)
        }
    }
}

@Suite struct RelyingPartyTests {
    @Test("A browser is sent away with all that ties the answer to it")
    func away() throws {
        var bench = try Bench()
        guard case .leave(let url) = bench.begin() else {
            Issue.record("it stayed")
            return
        }
        #expect(url.hasPrefix("https://id.example.org/a?x=1&response_type=code&client_id=me&"))
        let first = FormFields(urlEncoded: url.drop { $0 != "?" }.dropFirst())
        #expect(first["redirect_uri"] == "https://mesh.example/callback/corp")
        #expect(first["scope"] == "openid email" && first["code_challenge_method"] == "S256")
        #expect(first["state"].count == 32 && first["code_challenge"].count == 43)
        #expect(first["nonce"].count == 43)
        let second = try bench.fields()
        for name in ["state", "nonce", "code_challenge"] { #expect(first[name] != second[name]) }
    }

    @Test("The code is exchanged with the verifier that the challenge is of")
    func exchange() throws {
        var bench = try Bench()
        let away = try bench.fields()
        let (sent, _) = bench.returned("state=\(away["state"])&code=c%26d")
        let request = try #require(sent)
        #expect(request.url.text == "https://id.example.org/t")
        // "me:s%26" (RFC 6749 §2.3.1).
        #expect(request.headers.contains(.init(name: "Authorization", value: "Basic bWU6cyUyNg==")))
        let form = FormFields(urlEncoded: try #require(request.form))
        #expect(form["code"] == "c&d" && form["grant_type"] == "authorization_code")
        #expect(form["redirect_uri"] == "https://mesh.example/callback/corp")
        #expect(form["code_verifier"].count == 43 && form["client_secret"] == "")
    }

    @Test("The secret goes into the body where that is configured")
    func post() throws {
        var bench = try Bench(authentication: .post)
        let away = try bench.fields()
        let (sent, _) = bench.returned("state=\(away["state"])&code=c")
        let request = try #require(sent)
        let form = FormFields(urlEncoded: try #require(request.form))
        #expect(form["client_id"] == "me" && form["client_secret"] == "s&")
        #expect(!request.headers.contains { $0.name == "Authorization" })
    }

    @Test("An answer is good once, in its browser, and for ten minutes")
    func once() throws {
        var bench = try Bench()
        let state = try bench.fields()["state"]
        let (_, other) = bench.returned("state=\(state)&code=c", 2)
        #expect(other?.wasUnderWay == false)
        let (sent, _) = bench.returned("state=\(state)&code=c")
        #expect(sent != nil)
        let (_, again) = bench.returned("state=\(state)&code=c")
        #expect(again?.wasUnderWay == false)
        let late = try bench.fields()["state"]
        bench.wait(.minutes(10))
        let (_, tooLate) = bench.returned("state=\(late)&code=c")
        #expect(tooLate?.wasUnderWay == false)
    }

    @Test(
        "An answer that is not right is refused",
        arguments: [
            ("", "without a code"), ("&code=", "without a code"), ("&code=a&code=b", "twice"),
            ("&code=a&iss=https://evil.example", "another issuer"),
            ("&error=access_denied&error_description=no%0Away", "access_denied: noway"),
            ("&code=a&error=server_error", "server_error"),
            ("&code=\(String(repeating: "x", count: 5000))", "without a code"),
        ])
    func refused(rest: String, words: String) throws {
        var bench = try Bench()
        let state = try bench.fields()["state"]
        let (_, failure) = bench.returned("state=\(state)\(rest)")
        #expect(failure?.wasUnderWay == true)
        #expect(failure?.detail.contains(words) == true, "\(failure?.detail ?? "")")
    }

    @Test("A provider that names itself in answers has to (mix-up, RFC 9207)")
    func mixUp() throws {
        var bench = try Bench(namesIssuer: true)
        let state = try bench.fields()["state"]
        let (_, failure) = bench.returned("state=\(state)&code=c")
        #expect(failure?.detail == "an answer that names no issuer")
        let next = try bench.fields()["state"]
        let (sent, _) = bench.returned("state=\(next)&code=c&iss=\(percentEncoded(Bench.issuer))")
        #expect(sent != nil)
    }

    @Test("A provider that is down is asked ever less often, and its old word lasts a day")
    func outage() throws {
        var bench = try Bench()
        _ = try bench.fields()
        bench.wait(.minutes(61))
        try bench.discovers()
        bench.party.noteDiscoveryFailure(ProviderFault("discovery document", "down"), at: bench.now)
        // What is known will do meanwhile.
        _ = try bench.fields()
        bench.wait(.seconds(3))
        try bench.discovers()
        bench.wait(.minutes(24 * 60))
        try bench.discovers()
        bench.party.noteDiscoveryFailure(ProviderFault("discovery document", "down"), at: bench.now)
        guard case .failed(let failure) = bench.begin() else {
            Issue.record("it went on with what is a day old")
            return
        }
        #expect(failure.detail.contains("down") && !failure.wasUnderWay)
        // The pauses double, up to five minutes.
        for _ in 0..<12 {
            bench.party.noteDiscoveryFailure(ProviderFault("keys", "down"), at: bench.now)
        }
        bench.wait(.seconds(299))
        guard case .failed = bench.begin() else {
            Issue.record("it was asked too soon")
            return
        }
        bench.wait(.seconds(2))
        try bench.discovers()
    }

    @Test("Keys are asked for again at most once a minute")
    func keyRotation() throws {
        var bench = try Bench()
        let unknown = try IDToken(
            token("{\"alg\":\"EdDSA\",\"kid\":\"2\"}", "{}"), algorithms: [.edDSA])
        let known = try IDToken(
            token("{\"alg\":\"EdDSA\",\"kid\":\"1\"}", "{}"), algorithms: [.edDSA])
        let counts = [unknown, known].map { bench.party.candidates(for: $0).count }
        #expect(counts == [0, 1])
        let isTooSoon = bench.party.mayAskForKeys(at: bench.now)
        bench.wait(.minutes(1))
        let isTime = bench.party.mayAskForKeys(at: bench.now)
        bench.party.noteKeys(nil, at: bench.now)
        let isTooSoonAgain = bench.party.mayAskForKeys(at: bench.now)
        #expect(!isTooSoon && isTime && !isTooSoonAgain)
        let left = bench.party.candidates(for: known).count
        #expect(left == 1)
    }
}

@Suite struct PersonTests {
    private func person(_ text: String, _ names: ClaimNames = .standard) throws -> Person? {
        Person(try ProviderDocument(Array(text.utf8)), names)
    }

    @Test("Claims become a person")
    func standard() throws {
        let found = try #require(
            try person(
                """
                {"sub":"7","preferred_username":"cleo","name":"Cleo","email":"c@x.org",
                "email_verified":"true","groups":["a","b",7,""]}
                """))
        #expect(found.userName == "cleo" && found.displayName == "Cleo" && found.email == "c@x.org")
        #expect(found.isEmailVerified && found.groups == ["a", "b"])
    }

    @Test("Fields may be named, lie deeper, and be numbers")
    func mapped() throws {
        let names = ClaimNames(
            subject: "id", userName: "login", displayName: "", email: "mail", emailVerified: "",
            groups: "realm_access.roles")
        let text = "{\"id\":583231,\"login\":\"octocat\",\"realm_access\":{\"roles\":[\"x\"]}}"
        let found = try #require(try person(text, names))
        #expect(found.subject == "583231" && found.groups == ["x"] && found.displayName == "")
        #expect(!found.isEmailVerified)
        for subject in ["1e3", "-1", "1.5", "null", "\"\"", "[]"] {
            #expect(try person("{\"id\":\(subject)}", names) == nil)
        }
    }
}
