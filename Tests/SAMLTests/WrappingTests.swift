import FakeIdentityProvider
import NetTypes
import SAML
import Testing
import XMLSecurity

/// A genuine response in parts, for those who want to wrap something around them.
private struct Parts {
    var response: String
    var assertion: String
    /// The signature, of the response or of the assertion.
    var signature: String

    init(_ response: String) throws {
        self.response = response
        func part(_ name: String) throws -> String {
            let start = try #require(response.firstRange(of: "<\(name) ")).lowerBound
            let end = try #require(response.firstRange(of: "</\(name)>")).upperBound
            return String(response[start..<end])
        }
        assertion = try part("saml:Assertion")
        signature = try part("ds:Signature")
    }

    /// An assertion about somebody else, by an ID of its own, without a signature.
    var evil: String {
        assertion.replacing(signature, with: "").replacing("3f7b8f4e", with: "admin")
            .replacing("_assertion1", with: "_evil")
    }
}

/// The shapes of signature wrapping (Somorovsky et al., "On Breaking SAML", numbered as SAML Raider does).
@Suite struct WrappingTests {
    private func check(
        _ signed: FakeIdentityProvider.Signed, _ expected: SAMLRefusal,
        _ attack: (Parts) throws -> String
    ) throws {
        let test = try TestExchange()
        let genuine = try test.provider.response(test.claim(), signing: signed)
        let attacked = try attack(Parts(genuine))
        #expect(attacked.contains("admin"))
        let refusal = test.refusal(attacked)
        #expect(refusal == expected)
        // The attempt cost the person nothing.
        #expect(try test.person(genuine).subject == "3f7b8f4e")
    }

    /// A response about somebody else, without a signature.
    private func evilResponse(_ parts: Parts) -> String {
        parts.response.replacing(parts.signature, with: "").replacing("3f7b8f4e", with: "admin")
            .replacing("_response1", with: "_evilResponse")
            .replacing("_assertion1", with: "_evil")
    }

    private func wrapped(_ response: String, _ insertion: String) -> String {
        response.replacing(
            "</saml:Issuer><samlp:Status>", with: "</saml:Issuer>\(insertion)<samlp:Status>")
    }

    @Test func `XSW1: the signed response within the signature of another`() throws {
        try check(.response, .malformed("a response within another")) { parts in
            let original = parts.response.replacing(parts.signature, with: "")
            let signature = parts.signature.replacing(
                "</ds:Signature>", with: "<ds:Object>\(original)</ds:Object></ds:Signature>")
            return wrapped(evilResponse(parts), signature)
        }
    }

    @Test func `XSW2: the signed response beside a signature in another`() throws {
        try check(.response, .malformed("a response within another")) { parts in
            let original = parts.response.replacing(parts.signature, with: "")
            return wrapped(evilResponse(parts), original + parts.signature)
        }
    }

    @Test func `XSW3: another assertion before the signed one`() throws {
        try check(.assertion, .assertionCount(2)) { parts in
            parts.response.replacing(parts.assertion, with: parts.evil + parts.assertion)
        }
    }

    @Test func `XSW4: the signed assertion within another`() throws {
        try check(.assertion, .assertionCount(2)) { parts in
            parts.response.replacing(
                parts.assertion,
                with: parts.evil.replacing(
                    "</saml:Assertion>", with: "\(parts.assertion)</saml:Assertion>"))
        }
    }

    @Test func `XSW5: a changed assertion keeps the signature, the original follows`() throws {
        try check(.assertion, .assertionCount(2)) { parts in
            let original = parts.assertion.replacing(parts.signature, with: "")
            let changed = parts.assertion.replacing("3f7b8f4e", with: "admin")
                .replacing("ID=\"_assertion1\"", with: "ID=\"_evil\"")
            return parts.response.replacing(parts.assertion, with: changed + original)
        }
    }

    @Test func `XSW6: a changed assertion, the original within its signature`() throws {
        try check(.assertion, .assertionCount(2)) { parts in
            let original = parts.assertion.replacing(parts.signature, with: "")
            let signature = parts.signature.replacing(
                "</ds:Signature>", with: "<ds:Object>\(original)</ds:Object></ds:Signature>")
            return parts.response.replacing(
                parts.assertion,
                with: parts.assertion.replacing(parts.signature, with: signature)
                    .replacing("3f7b8f4e", with: "admin", maxReplacements: 1)
                    .replacing("ID=\"_assertion1\"", with: "ID=\"_evil\"", maxReplacements: 1))
        }
    }

    @Test func `XSW7: another assertion within extensions`() throws {
        try check(.assertion, .assertionCount(2)) { parts in
            wrapped(
                parts.response, "<samlp:Extensions>\(parts.evil)</samlp:Extensions>")
        }
    }

    @Test func `XSW8: the original within an object of a changed assertion's signature`() throws {
        try check(.assertion, .assertionCount(2)) { parts in
            let signature = parts.signature.replacing(
                "</ds:Signature>",
                with: """
                    <ds:Object>\(parts.assertion.replacing(parts.signature, with: ""))\
                    </ds:Object></ds:Signature>
                    """)
            return parts.response.replacing(
                parts.assertion,
                with: parts.evil.replacing(
                    "</saml:Issuer>", with: "</saml:Issuer>\(signature)", maxReplacements: 1))
        }
    }

    // MARK: The same with elements that do not look like assertions

    @Test func `A signature that is about something else than it stands in is refused`() throws {
        try check(.assertion, .document(.foreignReference)) { parts in
            let changed = parts.assertion.replacing("3f7b8f4e", with: "admin")
                .replacing("ID=\"_assertion1\"", with: "ID=\"_evil\"")
            let hidden =
                "<x ID=\"_assertion1\">\(parts.assertion.replacing("saml:Assertion", with: "saml:Advice").replacing(" ID=\"_assertion1\"", with: "").replacing(parts.signature, with: ""))</x>"
            return wrapped(
                parts.response.replacing(parts.assertion, with: changed),
                "<samlp:Extensions>\(hidden)</samlp:Extensions>")
        }
    }

    @Test func `Two elements of one ID are refused`() throws {
        for name in ["ID", "Id", "id"] {
            try check(.assertion, .document(.duplicateID)) { parts in
                wrapped(
                    parts.response,
                    "<samlp:Extensions><x \(name)=\"_assertion1\">admin</x></samlp:Extensions>")
            }
        }
    }

    @Test func `A signature elsewhere is refused`() throws {
        try check(.assertion, .document(.misplacedSignature)) { parts in
            let moved = parts.response.replacing(parts.signature, with: "")
                .replacing("3f7b8f4e", with: "admin")
            return wrapped(
                moved, "<samlp:Extensions>\(parts.signature)</samlp:Extensions>")
        }
    }

    @Test func `A second signature in the assertion is refused`() throws {
        try check(.assertion, .document(.misplacedSignature)) { parts in
            let second = parts.signature.replacing(" Id=\"Signature_assertion1\"", with: "")
            return parts.response.replacing(parts.signature, with: parts.signature + second)
                .replacing("3f7b8f4e", with: "admin")
        }
    }

    @Test func `A good signature of the assertion does not help a bad one of the response`() throws
    {
        let test = try TestExchange()
        let response = try test.provider.response(test.claim(), signing: .both)
            .replacing("<samlp:Status>", with: "<samlp:Status><!---->")
        #expect(test.refusal(response) == .document(.forbiddenMarkup))
        let changed = try test.provider.response(test.claim(), signing: .both)
            .replacing("IssueInstant=\"2026", with: "IssueInstant=\"2025", maxReplacements: 1)
        #expect(test.refusal(changed) == .document(.badSignature))
    }
}
