import ControlMessages
import CryptoPrimitives
import FakeIdentityProvider
import NetTypes
import SAML
import Testing
import XMLSecurity

/// Signatures that are not what they should be, or not by whom.
@Suite struct AlgorithmTests {
    private func refusal(
        signing: FakeIdentityProvider.Signed = .assertion,
        by template: FakeIdentityProvider.Template = FakeIdentityProvider.Template(),
        _ attack: (String) throws -> String = { $0 }
    ) throws -> SAMLRefusal? {
        let test = try TestExchange()
        let response = try test.provider.response(test.claim(), signing: signing, by: template)
        return test.refusal(try attack(response))
    }

    @Test func `What nobody signed is refused`() throws {
        #expect(try refusal(signing: .nothing) == .unsigned)
    }

    @Test func `What was changed after it was signed is refused`() throws {
        for signed in [FakeIdentityProvider.Signed.assertion, .response, .both] {
            let changed = try refusal(signing: signed) { $0.replacing("3f7b8f4e", with: "admin") }
            #expect(changed == .document(.badSignature))
        }
    }

    @Test func `A changed response around a signed assertion is no signed response`() throws {
        // The assertion says the same, so this is allowed; where it would matter it is refused.
        let other = try refusal {
            $0.replacing("callback/corp\" InResponseTo", with: "elsewhere\" InResponseTo")
        }
        #expect(other == .wrongDestination)
    }

    @Test func `Another provider's key is refused, whatever KeyInfo says`() throws {
        let test = try TestExchange()
        var template = FakeIdentityProvider.Template()
        template.keyInfo = """
            <ds:KeyInfo><ds:X509Data><ds:X509Certificate>\
            \(Shared.stranger.certificateText)</ds:X509Certificate></ds:X509Data></ds:KeyInfo>
            """
        var claim = try test.claim()
        claim.issuer = test.provider.entityID
        let response = try Shared.stranger.response(claim, by: template)
        #expect(test.refusal(response) == .document(.badSignature))
    }

    @Test(arguments: [
        "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-md5",
    ])
    func `Signatures with weak digests are refused`(method: String) throws {
        // The library may not even make them.
        guard
            let refusal = try? refusal(by: FakeIdentityProvider.Template(method: method))
        else { return }
        #expect(refusal == .document(.forbiddenAlgorithm(method)))
    }

    @Test func `A reference with a weak digest is refused`() throws {
        var template = FakeIdentityProvider.Template()
        template.digest = "http://www.w3.org/2000/09/xmldsig#sha1"
        #expect(
            try refusal(by: template)
                == .document(.forbiddenAlgorithm("http://www.w3.org/2000/09/xmldsig#sha1")))
    }

    @Test(arguments: ["", "none", "http://www.w3.org/2000/09/xmldsig#none"])
    func `No algorithm is no algorithm`(method: String) throws {
        let refusal = try refusal {
            $0.replacing("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", with: method)
        }
        #expect(refusal == .document(.forbiddenAlgorithm(method)))
    }

    @Test(arguments: [
        "http://www.w3.org/2000/09/xmldsig#hmac-sha1",
        "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256",
    ])
    func `A MAC with the public key as its secret is refused`(method: String) throws {
        let test = try TestExchange()
        let claim = try test.claim()
        let assertion = test.provider.assertion(claim)
        // In the form that exclusive canonicalization gives it, so that digest and MAC are right.
        let digest = SHA256.hash(Array(assertion.utf8).span.bytes)
        let template = FakeIdentityProvider.Template(method: method).text(of: "_assertion1")
            .replacing(
                "<ds:DigestValue></ds:DigestValue>",
                with: "<ds:DigestValue>\(Base64Bytes(digest.array).text)</ds:DigestValue>"
            )
            .replacing(
                "<ds:SignatureValue></ds:SignatureValue>",
                with: "<ds:SignatureValue>\(Base64Bytes(digest.array).text)</ds:SignatureValue>")
        let response = try test.provider.response(claim, signing: .nothing)
            .replacing("<saml:Subject>", with: template + "<saml:Subject>")
        #expect(test.refusal(response) == .document(.forbiddenAlgorithm(method)))
    }

    @Test(arguments: [
        "http://www.w3.org/TR/1999/REC-xslt-19991116",
        "http://www.w3.org/TR/1999/REC-xpath-19991116",
        "http://www.w3.org/2002/06/xmldsig-filter2", "http://www.w3.org/2001/04/xmldsig-more/xptr",
        "http://www.w3.org/2000/09/xmldsig#base64",
    ])
    func `Transforms that choose or compute what is signed are refused`(name: String) throws {
        let usual = "<ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/>"
        let own = "<ds:Transform Algorithm=\"\(name)\"><ds:XPath>true()</ds:XPath></ds:Transform>"
        let behind = try refusal { $0.replacing(usual, with: own) }
        #expect(behind == .document(.forbiddenAlgorithm(name)))
        let before = try refusal {
            $0.replacing("<ds:Transforms>", with: "<ds:Transforms>\(own)")
        }
        guard case .document(let fault) = before else {
            Issue.record("\(String(describing: before))")
            return
        }
        #expect(fault == .signatureShape("3 transforms"))
    }

    @Test func `A signature has one reference`() throws {
        let twice = try refusal { text in
            let start = text.firstRange(of: "<ds:Reference")!.lowerBound
            let end = text.firstRange(of: "</ds:Reference>")!.upperBound
            return text.replacing(text[start..<end], with: text[start..<end] + text[start..<end])
        }
        let shape = XMLFault.signatureShape(
            "not exactly CanonicalizationMethod, SignatureMethod, Reference")
        #expect(twice == .document(shape))
    }

    @Test(arguments: [
        "", "#_response1", "#xpointer(/)", "#xpointer(id('_assertion1'))", "http://127.0.0.1:1/x",
        "file:///etc/passwd", "_assertion1",
    ])
    func `A reference leads to the element that the signature stands in`(uri: String) throws {
        let refusal = try refusal {
            $0.replacing("URI=\"#_assertion1\"", with: "URI=\"\(uri)\"")
        }
        #expect(refusal == .document(.foreignReference))
    }

    @Test func `An object in a signature is refused`() throws {
        let refusal = try refusal {
            $0.replacing(
                "</ds:Signature>", with: "<ds:Object>admin</ds:Object></ds:Signature>")
        }
        #expect(
            refusal == .document(.signatureShape("not exactly SignedInfo, SignatureValue")))
    }

    @Test func `A signature value that is no signature is refused`() throws {
        for value in ["", "AAAA", "?"] {
            let refusal = try refusal { text in
                let start = text.firstRange(of: "<ds:SignatureValue>")!.upperBound
                let end = text.firstRange(of: "</ds:SignatureValue>")!.lowerBound
                return text.replacing(text[start..<end], with: value)
            }
            #expect(refusal == .document(.badSignature), "\(value)")
        }
    }
}
