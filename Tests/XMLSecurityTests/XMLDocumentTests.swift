import Testing
import XMLSecurity

@Test func `An element is read with its attributes, text and children`() throws {
    let text = "<a x='1'>one<b xmlns='urn:b'/>two</a>"
    let document = try XMLDocument(Array(text.utf8).span.bytes)
    #expect(document.root.text == "onetwo")
}
