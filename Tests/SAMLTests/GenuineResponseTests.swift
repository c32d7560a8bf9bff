import FakeIdentityProvider
import NetTypes
import SAML
import SignIn
import Testing
import XMLSecurity

@Suite struct GenuineResponseTests {
    @Test(arguments: [FakeIdentityProvider.Signed.assertion, .response, .both])
    func `A signed response says who somebody is`(signed: FakeIdentityProvider.Signed) throws {
        let test = try TestExchange { service in
            service.mapping.userName = "uid"
            service.mapping.displayName = "name"
            service.mapping.email = "mail"
            service.mapping.groups = "groups"
        }
        var claim = try test.claim()
        claim.attributes = [
            ("uid", ["anna"]), ("name", ["Anna &amp; Co"]), ("mail", ["anna@example.org"]),
            ("groups", ["staff", "ops"]), ("groups", ["night"]),
        ]
        let outcome = test.outcome(try test.provider.response(claim, signing: signed))
        let person = SAMLPerson(
            issuer: "https://idp.example/metadata", subject: "3f7b8f4e", userName: "anna",
            displayName: "Anna & Co", email: "anna@example.org", groups: ["staff", "ops", "night"])
        #expect(outcome == .proven(person, for: .account))
    }

    @Test(arguments: [
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
        "http://www.w3.org/2001/10/xml-exc-c14n#",
    ])
    func `Both ways to canonicalize are read, for one signature and for two`(name: String) throws {
        for signed in [FakeIdentityProvider.Signed.assertion, .response, .both] {
            let test = try TestExchange()
            var template = FakeIdentityProvider.Template()
            template.canonicalization = name
            let response = try test.provider.response(
                test.claim(), signing: signed, by: template)
            #expect(try test.person(response).subject == "3f7b8f4e")
        }
    }

    @Test func `Keys on elliptic curves and longer digests are read`() throws {
        for digits in [256, 384, 512] {
            let test = try TestExchange(Shared.curve)
            let template = FakeIdentityProvider.Template(
                method: "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha\(digits)")
            #expect(
                try test.person(test.provider.response(test.claim(), by: template)).subject
                    == "3f7b8f4e")
            let other = try TestExchange()
            let rsa = FakeIdentityProvider.Template(
                method: "http://www.w3.org/2001/04/xmldsig-more#rsa-sha\(digits)")
            #expect(
                try other.person(other.provider.response(other.claim(), by: rsa)).subject
                    == "3f7b8f4e")
        }
    }

    @Test func `A second certificate of the provider counts, as while it changes them`() throws {
        let test = try TestExchange()
        test.record.keys = [Shared.curve.key, Shared.stranger.key, Shared.provider.key]
        #expect(try test.person(test.provider.response(test.claim())).subject == "3f7b8f4e")
    }

    @Test func `The browser that asked gets the outcome, once, and no other does`() throws {
        let test = try TestExchange()
        guard case .kept(let id, nil) = test.receive(try test.provider.response(test.claim()))
        else {
            Issue.record("the response is good")
            return
        }
        let stranger = test.exchange.take(id, test.visitor(2), test.now)
        let first = test.exchange.take(id, test.visitor(1), test.now)
        let second = test.exchange.take(id, test.visitor(1), test.now)
        #expect(stranger == nil)
        #expect(first != nil)
        #expect(second == nil)
    }

    // MARK: Encryption

    @Test(arguments: [128, 192, 256])
    func `An encrypted assertion is read`(bits: Int) throws {
        let key = try publicKey(of: Shared.service)
        for digest in [EncryptedContent.Cipher.Digest.sha1, .sha256] {
            let cipher = EncryptedContent.Cipher(
                keyBits: bits, digest: digest, maskDigest: .sha1)
            let test = try TestExchange()
            let response = try test.provider.response(
                test.claim(), encryption: (key, cipher))
            #expect(!response.contains("NameID"))
            #expect(try test.person(response).subject == "3f7b8f4e")
        }
    }

    @Test func `AES-CBC is read in signed responses only`() throws {
        let key = try publicKey(of: Shared.service)
        let cipher = EncryptedContent.Cipher(
            isAuthenticated: false, digest: .sha1, maskDigest: .sha1)
        let test = try TestExchange()
        for signed in [FakeIdentityProvider.Signed.response, .both] {
            var claim = try test.claim()
            claim.assertionID = "_\(signed)"
            let response = try test.provider.response(
                claim, signing: signed, encryption: (key, cipher))
            #expect(try test.person(response).subject == "3f7b8f4e")
        }
        let bare = try test.provider.response(test.claim(), encryption: (key, cipher))
        #expect(test.refusal(bare) == .unauthenticatedEncryption)
    }

    @Test func `An assertion encrypted for somebody else is refused`() throws {
        let key = try publicKey(of: Shared.otherService)
        let test = try TestExchange()
        let cipher = EncryptedContent.Cipher(maskDigest: .sha1)
        let response = try test.provider.response(test.claim(), encryption: (key, cipher))
        #expect(test.refusal(response) == .document(.notEncryptedForUs))
    }

    @Test func `An encrypted assertion that nobody signed is refused, since all can encrypt`()
        throws
    {
        let key = try publicKey(of: Shared.service)
        let test = try TestExchange()
        let cipher = EncryptedContent.Cipher(maskDigest: .sha1)
        let response = try test.provider.response(
            test.claim(), signing: .nothing, encryption: (key, cipher))
        #expect(test.refusal(response) == .unsigned)
    }

    @Test func `PKCS 1 padding of keys is refused`() throws {
        let key = try publicKey(of: Shared.service)
        let test = try TestExchange()
        let cipher = EncryptedContent.Cipher(maskDigest: .sha1)
        let response = try test.provider.response(test.claim(), encryption: (key, cipher))
            .replacing("rsa-oaep-mgf1p", with: "rsa-1_5")
        #expect(
            test.refusal(response)
                == .document(.forbiddenAlgorithm("http://www.w3.org/2001/04/xmlenc#rsa-1_5")))
    }
}
