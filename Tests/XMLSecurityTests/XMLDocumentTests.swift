import FakeIdentityProvider
import Testing
import XMLSecurity

@Suite struct XMLDocumentTests {
    private func read(
        _ text: String, _ strictness: XMLDocument.Strictness = .strict
    ) throws -> XMLDocument {
        try XMLDocument(Array(text.utf8).span.bytes, strictness)
    }

    @Test func `An element is read with its attributes, text and children`() throws {
        let root = try read("<a xmlns='urn:a' x='1 &amp; 2'>one<b xmlns='urn:b'/>&lt;two</a>").root
        #expect(root.is("a", in: "urn:a"))
        #expect(root.attribute("x") == "1 & 2")
        #expect(root.text == "one<two")
        #expect(root.children.map(\.name) == ["b"])
        #expect(root.onlyChild("b", in: "urn:b") != nil)
        #expect(root.onlyChild("b", in: "urn:a") == nil)
    }

    @Test func `Comments are for what is not signed, document types for nothing`() throws {
        let text = "<a>x<!-- y --><![CDATA[<z>]]></a>"
        #expect(try read(text, .lenient).root.text == "x<z>")
        #expect(throws: XMLFault.forbiddenMarkup) { try read(text) }
        #expect(throws: XMLFault.documentType) { try read("<!DOCTYPE a><a/>", .lenient) }
    }

    @Test func `What is signed is the element and nothing around it`() throws {
        let provider = try FakeIdentityProvider(.p256)
        var template = FakeIdentityProvider.Template()
        template.method = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
        let inner = """
            <saml:A xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_a"><saml:Issuer>me\
            </saml:Issuer><saml:B>said</saml:B></saml:A>
            """
        let signed = try provider.sign(inner, template.text(of: "_a"))
        let document = try read("<x>unsaid\(signed)<y/></x>")
        let element = try #require(document.root.children.first)
        let verified = try document.verified(element, by: [provider.key])
        #expect(verified.root.children.map(\.name) == ["Issuer", "B"])
        // The outer element has no signature of its own.
        #expect(throws: XMLFault.misplacedSignature) {
            try document.verified(document.root, by: [provider.key])
        }
        // Nobody vouches where no key is known.
        #expect(throws: XMLFault.badSignature) { try document.verified(element, by: []) }
    }
}
