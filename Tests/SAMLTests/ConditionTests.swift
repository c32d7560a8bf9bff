import FakeIdentityProvider
import NetTypes
import SAML
import SignIn
import Testing
import XMLSecurity

/// What a response must say beside being signed. Each of these is signed well.
@Suite struct ConditionTests {
    private func refusal(
        signing: FakeIdentityProvider.Signed = .both,
        _ edit: (inout FakeIdentityProvider.Claim) -> Void
    ) throws -> SAMLRefusal? {
        let test = try TestExchange()
        var claim = try test.claim()
        edit(&claim)
        return test.refusal(try test.provider.response(claim, signing: signing))
    }

    @Test func `An assertion for another audience is refused`() throws {
        #expect(try refusal { $0.audience = "https://other.example/saml" } == .wrongAudience)
    }

    @Test func `An assertion for another recipient is refused`() throws {
        #expect(
            try refusal(signing: .assertion) {
                $0.recipient = "https://other.example/acs"
            } == .wrongRecipient)
    }

    @Test func `A response for another destination is refused, and a signed one for none`() throws {
        #expect(try refusal { $0.destination = "https://other.example/acs" } == .wrongDestination)
        #expect(try refusal { $0.destination = nil } == .wrongDestination)
        #expect(try refusal(signing: .assertion) { $0.destination = nil } == nil)
    }

    @Test func `A response of another provider is refused`() throws {
        #expect(try refusal { $0.issuer = "https://evil.example" } == .wrongIssuer)
    }

    @Test func `An assertion for another request is refused`() throws {
        #expect(try refusal { $0.confirmedRequest = "_other" } == .wrongRequest)
        #expect(try refusal { $0.confirmedRequest = nil } == .wrongRequest)
    }

    @Test func `A response to no request of ours is refused`() throws {
        #expect(
            try refusal {
                $0.request = "_0123456789abcdef0123456789abcdef"
                $0.confirmedRequest = $0.request
            } == .unsolicited)
        #expect(
            try refusal {
                $0.request = ""
                $0.confirmedRequest = nil
            } == .unsolicited)
    }

    @Test func `What the provider refuses is refused`() throws {
        #expect(
            try refusal { $0.status = "urn:oasis:names:tc:SAML:2.0:status:Responder" }
                == .status("Responder"))
    }

    @Test func `A condition that is not known is refused`() throws {
        #expect(
            try refusal { $0.condition = "<saml:Condition xmlns:x=\"urn:x\"/>" }
                == .unknownCondition("Condition"))
        #expect(try refusal { $0.condition = "<saml:OneTimeUse/>" } == nil)
        // Every restriction has to be met, not any.
        #expect(
            try refusal {
                $0.condition =
                    "<saml:AudienceRestriction><saml:Audience>https://other.example</saml:Audience></saml:AudienceRestriction>"
            } == .wrongAudience)
    }

    @Test func `An assertion counts for its time, give or take two minutes`() throws {
        let test = try TestExchange()
        func refusal(after time: Nanoseconds) throws -> SAMLRefusal? {
            let test = try TestExchange()
            let response = try test.provider.response(test.claim())
            test.advance(time)
            return test.refusal(response)
        }
        #expect(try refusal(after: .minutes(5)) == nil)
        #expect(try refusal(after: .seconds(419)) == nil)
        #expect(try refusal(after: .seconds(420)) == .expired)
        var claim = try test.claim()
        claim.now = claim.now + .seconds(120)
        #expect(test.refusal(try test.provider.response(claim)) == nil)
        claim = try test.claim()
        claim.now = claim.now + .seconds(121)
        #expect(test.refusal(try test.provider.response(claim)) == .notYetValid)
    }

    @Test func `A request is open for ten minutes`() throws {
        let test = try TestExchange()
        var claim = try test.claim()
        claim.lifetime = .minutes(60)
        let response = try test.provider.response(claim)
        test.advance(.minutes(10))
        #expect(test.refusal(response) == .unsolicited)
    }

    // MARK: Replay

    @Test func `A response is good once`() throws {
        let test = try TestExchange()
        let response = try test.provider.response(test.claim(), signing: .both)
        #expect(test.refusal(response) == nil)
        #expect(test.refusal(response) == .replayed)
    }

    @Test func `An assertion is good once, also for another request`() throws {
        let test = try TestExchange()
        #expect(test.refusal(try test.provider.response(test.claim())) == nil)
        #expect(test.refusal(try test.provider.response(test.claim())) == .replayed)
        var claim = try test.claim()
        claim.assertionID = "_assertion2"
        #expect(test.refusal(try test.provider.response(claim)) == nil)
    }

    @Test func `A bad response does not use up the request`() throws {
        let test = try TestExchange()
        let claim = try test.claim()
        let forged = try Shared.stranger.response(claim)
        #expect(test.refusal(forged) == .document(.badSignature))
        #expect(test.refusal(try test.provider.response(claim)) == nil)
    }

    @Test func `A response in the browser of somebody else gives that one nothing`() throws {
        let test = try TestExchange()
        // The attacker asks, signs in, and makes the victim's browser post the response.
        let response = try test.provider.response(test.claim(by: 1))
        guard case .kept(let id, nil) = test.receive(response) else {
            Issue.record("the response is good")
            return
        }
        let victim = test.exchange.take(id, test.visitor(2), test.now)
        #expect(victim == nil)
    }

    // MARK: Subjects

    @Test func `A subject is a persistent name unless the configuration says otherwise`() throws {
        let email = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
        let transient = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
        #expect(try refusal { $0.format = email } == .unstableSubject("emailAddress"))
        #expect(try refusal { $0.format = transient } == .unstableSubject("transient"))
        func mapped(
            _ subject: AttributeMapping.Subject, _ edit: (inout FakeIdentityProvider.Claim) -> Void
        ) throws -> SAMLRefusal? {
            let test = try TestExchange { $0.mapping.subject = subject }
            var claim = try test.claim()
            edit(&claim)
            return test.refusal(try test.provider.response(claim))
        }
        #expect(try mapped(.nameID) { $0.format = email } == nil)
        #expect(try mapped(.nameID) { $0.format = transient } == .unstableSubject("transient"))
        #expect(
            try mapped(.attribute("uid")) {
                $0.format = transient
                $0.attributes = [("uid", ["anna"])]
            } == nil)
        #expect(
            try mapped(.attribute("uid")) { $0.attributes = [("uid", ["anna", "admin"])] }
                == .noSubjectAttribute)
        #expect(
            try mapped(.attribute("uid")) {
                $0.attributes = [("uid", ["anna"]), ("uid", ["admin"])]
            } == .noSubjectAttribute)
        #expect(try mapped(.attribute("uid")) { _ in } == .noSubjectAttribute)
    }

    @Test(arguments: ["NameID", "Subject", "Conditions", "Issuer"])
    func `What should be there once is refused twice`(name: String) throws {
        let test = try TestExchange()
        let claim = try test.claim()
        let assertion = test.provider.assertion(claim)
        let start = try #require(assertion.firstRange(of: "<saml:\(name)")).lowerBound
        let end = try #require(assertion.firstRange(of: "</saml:\(name)>")).upperBound
        let part = String(assertion[start..<end])
        let twice = try test.provider.response(claim, signing: .nothing).replacing(
            part, with: part + part)
        // Signed as a whole, so that the shape is what is wrong.
        let response = try test.provider.sign(
            twice, FakeIdentityProvider.Template().text(of: "_response1"))
        #expect(test.refusal(response) == .malformed(name))
    }

    @Test func `Elements within a name are refused`() throws {
        #expect(try refusal { $0.nameID = "admin<x/>" } == .malformed("NameID"))
    }
}
