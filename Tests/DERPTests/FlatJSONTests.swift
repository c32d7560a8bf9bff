import Testing

@testable import DERP

@Suite struct FlatJSONTests {
    private func parse(_ text: String) -> [String: FlatJSON.Value]? {
        FlatJSON.parse(Array(text.utf8))
    }

    @Test func scalarsAreRead() {
        let fields = parse(
            #" { "a" : 2 , "b":-1.5e2,"c":true,"d":false,"e":null,"f":"x\"\u00e9\n","g":[1,{"h":[]}],"i":{} } "#
        )
        #expect(
            fields == [
                "a": .number(2), "b": .number(-150), "c": .boolean(true), "d": .boolean(false),
                "e": .null, "f": .string("x\"é\n"), "g": .nested, "i": .nested,
            ])
        #expect(parse("{}") == [:])
        #expect(parse("{\"v\":1e300}")?["v"]?.integer == nil)
        #expect(parse("{\"v\":2.5}")?["v"]?.integer == nil)
    }

    @Test func whatIsNoObjectIsRefused() {
        let deep = "{\"a\":" + String(repeating: "[", count: 100_000)
        let wide = "{" + (0..<65).map { "\"k\($0)\":1" }.joined(separator: ",") + "}"
        let texts = [
            "", "[]", "1", "{", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{\"a\":1}x", "{\"a\":\"",
            "{\"a\":\"\\u12\"}", "{\"a\":\"\\x\"}", "{\"a\":tru}", "{\"a\":--}",
            "{\"a\":\"\u{1}\"}", deep, wide,
        ]
        for text in texts { #expect(parse(text) == nil, "\(text.prefix(30))") }
    }
}
