import Testing
import WebForms

@Suite struct WebFormsTests {
    @Test("Fields are read as browsers write them")
    func fields() {
        let fields = FormFields(urlEncoded: "a=1+2&b=%C3%BC%26&c&=x&d=a=b")
        #expect(fields["a"] == "1 2" && fields["b"] == "ü&" && fields["c"] == "")
        #expect(fields["d"] == "a=b" && fields[""] == "x" && !fields.hasRepeatedNames)
    }

    @Test("Of a name that comes twice the first counts, and it is noticed")
    func repeated() {
        let fields = FormFields(urlEncoded: "a=1&b=2&%61=3")
        #expect(fields["a"] == "1" && fields.hasRepeatedNames)
    }

    @Test("What is no escape stays as it is")
    func escapes() {
        #expect(percentDecoded("%41%zz%4") == "A%zz%4")
        #expect(percentDecoded("%ff") == "\u{FFFD}")
    }

    @Test("What was encoded is read as the same")
    func roundTrip() {
        let value = "a b&c=d/é~%+\u{0}"
        let text = FormFields.encode([("x", value), ("y", "")])
        #expect(FormFields(urlEncoded: text)["x"] == value)
        #expect(!text.contains("+") && !text.contains(" "))
    }

    @Test("Fields are bounded in number")
    func bounded() {
        let text = (0..<100).map { "f\($0)=\($0)" }.joined(separator: "&")
        let fields = FormFields(urlEncoded: text)
        #expect(fields["f31"] == "31" && fields["f32"] == "")
    }

    @Test("A cookie that comes twice is none")
    func cookies() {
        #expect(CookieHeader.value("a", in: ["b=1; a=2"]) == "2")
        #expect(CookieHeader.value("a", in: ["a=1; a=2"]) == nil)
        #expect(CookieHeader.value("a", in: ["a=1", "a=2"]) == nil)
        #expect(CookieHeader.value("a", in: ["aa=1; b"]) == nil)
    }
}
