import NetTypes
import OpenIDConnect
import Testing

/// A token with a signature that nobody made.
func token(_ header: String, _ claims: String, signature: String = "AAAA") -> String {
    [header, claims].map { Base64.encodeURL(Array($0.utf8)) }.joined(separator: ".") + "."
        + signature
}

@Suite struct TokenTests {
    private let now = Timestamp(unixSeconds: 1_800_000_000)
    private let good = [
        "iss": "\"https://id.example.org\"", "aud": "\"me\"", "sub": "\"7\"", "nonce": "\"n\"",
        "exp": "1800000300", "iat": "1800000000",
    ]

    private func fault(_ changes: [String: String?]) -> TokenFault? {
        var claims: [String: String?] = good
        for (name, value) in changes { claims[name] = value }
        let text = claims.sorted { $0.key < $1.key }
            .compactMap { name, value in value.map { "\"\(name)\":\($0)" } }
        let check = TokenCheck(
            issuer: "https://id.example.org", clientID: "me", nonce: "n", begun: now)
        do throws(TokenFault) {
            let token = try IDToken(
                token("{\"alg\":\"ES256\"}", "{\(text.joined(separator: ","))}"),
                algorithms: [.es256])
            try check.check(token, at: now)
            return nil
        } catch {
            return error
        }
    }

    @Test("A token that is right in all is accepted")
    func accepted() {
        #expect(fault([:]) == nil)
        #expect(fault(["aud": "[\"me\"]", "azp": "\"me\"", "nbf": "1799999990.5"]) == nil)
        #expect(fault(["aud": "[\"you\",\"me\"]", "azp": "\"me\""]) == nil)
        // The clocks of two machines.
        #expect(fault(["exp": "1799999900", "iat": "1799999900"]) == nil)
        #expect(fault(["iat": "1800000100"]) == nil)
    }

    @Test(
        "A token with one thing wrong is refused for that",
        arguments: [
            (["iss": "\"https://id.example.org/\""], .issuer), (["iss": nil], .issuer),
            (["aud": "\"you\""], .audience), (["aud": "[]"], .audience), (["aud": nil], .audience),
            (["aud": "[\"me\",\"you\"]"], .authorizedParty),
            (["aud": "[\"me\",\"you\"]", "azp": "\"you\""], .authorizedParty),
            (["azp": "\"you\""], .authorizedParty), (["azp": "7"], .authorizedParty),
            (["exp": "1799999880"], .expired), (["exp": nil], .malformed),
            (["exp": "\"1800000300\""], .malformed), (["exp": "1e12"], .malformed),
            (["exp": "-1"], .malformed), (["exp": "99999999999999999999"], .malformed),
            (["iat": "1800000121"], .notYetValid), (["iat": nil], .malformed),
            (["iat": "1799999000"], .tooOld), (["nbf": "1800000500"], .notYetValid),
            (["nonce": "\"m\""], .nonce), (["nonce": nil], .nonce), (["nonce": "\"\""], .nonce),
            (["sub": nil], .subject), (["sub": "\"\""], .subject), (["sub": "7"], .subject),
            (["sub": "\"a\\nb\""], .subject),
            (["sub": "\"\(String(repeating: "x", count: 256))\""], .subject),
        ] as [([String: String?], TokenFault)])
    func refused(changes: [String: String?], expected: TokenFault) {
        #expect(fault(changes) == expected)
    }

    @Test(
        "A token that is not signed as allowed is not read further",
        arguments: [
            "none", "None", "NONE", "HS256", "HS384", "HS512", "ES384", "es256", "", "ES256K",
        ])
    func algorithms(name: String) {
        #expect(throws: TokenFault.algorithm(name)) {
            try IDToken(token("{\"alg\":\"\(name)\"}", "{}"), algorithms: [.es256, .rs256])
        }
    }

    @Test(
        "What is no token is none",
        arguments: [
            "", ".", "..", "a.b", "a.b.c.d", token("{\"alg\":\"ES256\"}", "[]"),
            token("{\"alg\":\"ES256\",\"alg\":\"RS256\"}", "{}"),
            token("{\"alg\":\"ES256\"}", "{\"sub\":\"1\",\"sub\":\"2\"}"),
            token("{\"alg\":\"ES256\",\"crit\":[\"exp\"]}", "{}"),
            token("{\"alg\":\"ES256\",\"kid\":7}", "{}"),
            token("{\"alg\":\"ES256\"}", "{}", signature: "AA=="),
            token("{\"alg\":\"ES256\"}", "{}", signature: "AB"),
            token("{\"alg\":\"ES256\"}", "{\"a\":\"\(String(repeating: "x", count: 70_000))\"}"),
        ])
    func malformed(text: String) {
        #expect(throws: TokenFault.malformed) { try IDToken(text, algorithms: [.es256]) }
    }
}
