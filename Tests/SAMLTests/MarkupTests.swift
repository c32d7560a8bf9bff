import FakeIdentityProvider
import NetTypes
import SAML
import Testing
import XMLSecurity

/// What a document may not contain, however it is signed.
@Suite struct MarkupTests {
    private func refusal(
        signing: FakeIdentityProvider.Signed = .assertion,
        _ attack: (String) throws -> String
    ) throws -> SAMLRefusal? {
        let test = try TestExchange()
        let genuine = try test.provider.response(test.claim(), signing: signing)
        let refusal = test.refusal(try attack(genuine))
        #expect(try test.person(genuine).subject == "3f7b8f4e")
        return refusal
    }

    @Test func `A comment that splits a name is refused, where canonical XML overlooks it`() throws
    {
        let test = try TestExchange()
        var claim = try test.claim()
        claim.nameID = "admin@example.org.evil.example"
        let response = try test.provider.response(claim)
        let split = response.replacing(
            "admin@example.org.evil.example", with: "admin@example.org<!---->.evil.example")
        #expect(test.refusal(split) == .document(.forbiddenMarkup))
        #expect(try test.person(response).subject == "admin@example.org.evil.example")
    }

    @Test(arguments: ["<![CDATA[3f7b8f4e]]>", "3f7b<?x?>8f4e", "3f7b<!-- -->8f4e"])
    func `CDATA, instructions and comments are refused`(name: String) throws {
        let refusal = try refusal { $0.replacing("3f7b8f4e", with: name) }
        #expect(refusal == .document(.forbiddenMarkup))
    }

    @Test func `Entities that multiply are not even parsed`() throws {
        let laughs = (1...9).map {
            "<!ENTITY l\($0) \"\(String(repeating: "&l\($0 - 1);", count: 10))\">"
        }
        let refusal = try refusal {
            "<?xml version=\"1.0\"?><!DOCTYPE r [<!ENTITY l0 \"ha\">\(laughs.joined())]>"
                + $0.replacing("3f7b8f4e", with: "&l9;")
        }
        #expect(refusal == .document(.documentType))
    }

    @Test func `Nothing outside is read`() throws {
        let refusal = try refusal {
            "<!DOCTYPE r [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>"
                + $0.replacing("3f7b8f4e", with: "&x;")
        }
        #expect(refusal == .document(.documentType))
        let external = try self.refusal {
            "<!DOCTYPE r SYSTEM \"http://127.0.0.1:1/evil.dtd\">" + $0
        }
        #expect(external == .document(.documentType))
    }

    @Test func `An entity that nobody declared is no text`() throws {
        let refusal = try refusal { $0.replacing("3f7b8f4e", with: "&admin;") }
        #expect(refusal == .document(.malformed))
    }

    @Test func `Another encoding cannot hide a document type`() throws {
        let test = try TestExchange()
        let text = "<?xml version=\"1.0\" encoding=\"UTF-16\"?><!DOCTYPE r []><r/>"
        let wide: [UInt8] =
            [0xFF, 0xFE] + text.utf16.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }
        #expect(throws: XMLFault.malformed) { try read(wide) }
        // UTF-7, as some parsers read it when told so.
        let hidden = "<?xml version=\"1.0\" encoding=\"UTF-7\"?>+ADwAIQ-DOCTYPE r+AD4-<r/>"
        #expect(throws: XMLFault.malformed) { try read(Array(hidden.utf8)) }
        #expect(test.refusal(hidden) == .document(.malformed))
    }

    private func read(_ bytes: [UInt8]) throws { _ = try XMLDocument(bytes.span.bytes) }

    @Test func `An attribute xml-id makes no ID`() throws {
        let refusal = try refusal {
            $0.replacing("<samlp:Status>", with: "<samlp:Status xml:id=\"_assertion1\">")
        }
        #expect(refusal == .document(.forbiddenMarkup))
    }

    @Test func `What is too large, too deep or too much is refused`() throws {
        let padding = String(repeating: " ", count: 1 << 20)
        let large = try refusal {
            $0.replacing("</samlp:Response>", with: padding + "</samlp:Response>")
        }
        #expect(large == .document(.tooLarge))
        let deep = String(repeating: "<a>", count: 60) + String(repeating: "</a>", count: 60)
        let nested = try refusal { $0.replacing("<samlp:Status>", with: deep + "<samlp:Status>") }
        #expect(nested == .document(.tooDeep))
        let many = String(repeating: "<a/>", count: 20_001)
        let wide = try refusal { $0.replacing("<samlp:Status>", with: many + "<samlp:Status>") }
        #expect(wide == .document(.tooLarge))
    }

    @Test func `What is no document is refused`() throws {
        let test = try TestExchange()
        for text in ["", " ", "admin", "<a>", "<a/><b/>", "<a:b/>", "<a b='1' b='2'/>"] {
            let expected = text.isEmpty ? SAMLRefusal.notBase64 : .document(.malformed)
            #expect(test.refusal(text) == expected, "\(text)")
        }
        #expect(test.refusal("<Response/>") == .notAResponse)
        let receipt = test.exchange.receive(
            "no/base64!", from: test.record, test.now, random: &test.random)
        #expect(receipt == .refused(.notBase64))
    }
}
