import ControlMessages
import Testing

@Suite struct JSONTests {
    private func parse(_ text: String) throws(JSONSyntaxError) -> JSON {
        try JSON(parsing: Array(text.utf8))
    }

    @Test func parsesEveryKindOfValue() throws {
        let value = try parse(#" {"a":[1,-0.5e+3,true,false,null,"x"],"b":{}} "#)
        #expect(
            value
                == .object(
                    JSONObject([
                        .init(
                            "a",
                            .array([
                                .number("1"), .number("-0.5e+3"), .bool(true), .bool(false), .null,
                                .string("x"),
                            ])), .init("b", .object(JSONObject())),
                    ])))
    }

    @Test(arguments: [
        #""\"\\\/\b\f\n\r\t""#: "\"\\/\u{8}\u{C}\n\r\t",
        #""\u00e9\u20ac\ud83d\ude00""#: "é€😀",
        #""\ud83d""#: "\u{FFFD}",
        #""\ud83dx""#: "\u{FFFD}x",
        #""\ud83d\u0041""#: "\u{FFFD}A",
        #""\ude00""#: "\u{FFFD}",
    ])
    func readsEscapes(text: String, expected: String) throws {
        #expect(try parse(text) == .string(expected))
    }

    @Test func invalidUTF8BecomesTheReplacementCharacter() throws {
        let value = try JSON(parsing: [0x22, 0x61, 0xFF, 0x62, 0x22])
        #expect(value == .string("a\u{FFFD}b"))
    }

    @Test(arguments: [
        "", " ", "{", "[", "[1", "[1,", "[1,]", "{\"a\"", "{\"a\":", "{\"a\":1,}", "{a:1}", "01",
        "-", "1.", "1e", "+1", ".5", "tru", "nul", "truex", "\"", "\"\\", "\"\\u12", "\"\\x\"",
        "\"\n\"", "1 2", "[1 2]", "}", "\u{FEFF}1", "NaN",
    ])
    func refusesWhatIsNoJSON(text: String) {
        #expect(throws: JSONSyntaxError.self) { try JSON(parsing: Array(text.utf8)) }
    }

    @Test func depthIsBounded() throws {
        let deep = String(repeating: "[", count: 48) + String(repeating: "]", count: 48)
        #expect(throws: Never.self) { try JSON(parsing: Array(deep.utf8)) }
        let tooDeep = String(repeating: "[", count: 1_000_000)
        #expect(throws: JSONSyntaxError.tooDeep(offset: 48)) {
            try JSON(parsing: Array(tooDeep.utf8))
        }
        let objects = String(repeating: #"{"a":"#, count: 100_000)
        #expect(throws: JSONSyntaxError.self) { try JSON(parsing: Array(objects.utf8)) }
    }

    @Test func lengthIsBounded() {
        #expect(throws: JSONSyntaxError.tooLong(byteCount: 9)) {
            try JSON(parsing: Array("123456789".utf8), limits: JSON.Limits(byteCount: 8))
        }
    }

    @Test func theLastOfEqualNamesCountsAndCaseDoesNotMatter() throws {
        let object = try #require(try parse(#"{"ID":1,"id":2,"NAME":"x","ID":3}"#).object)
        #expect(object["ID"] == .number("3"))
        #expect(object["Id"] == .number("3"))
        #expect(object["Name"] == .string("x"))
        #expect(object["Nam"] == nil)
        #expect(object["Näme"] == nil)
    }

    @Test func settingAMemberReplacesEverySpelling() throws {
        var object = try #require(try parse(#"{"a":1,"B":2,"A":3,"b":4}"#).object)
        object["b"] = .number("5")
        object["A"] = nil
        object["c"] = .null
        #expect(object == JSONObject([.init("b", .number("5")), .init("c", .null)]))
    }

    @Test func whatIsWrittenReadsTheSame() throws {
        let text = #"{"a":[1,-2.50,true,null,"q\"\\\u0001é"],"b":{"c":{}},"d":[]}"#
        let value = try parse(text)
        #expect(String(decoding: value.jsonBytes, as: UTF8.self) == text)
        #expect(try JSON(parsing: value.jsonBytes) == value)
    }

    @Test(arguments: [
        "1.5", "1.0", "1e3", "9223372036854775808", "-9223372036854775809", "\"1\"", "true", "[]",
        String(repeating: "9", count: 10_000),
    ])
    func integersAreReadFromPlainDigitsInRangeOnly(text: String) {
        #expect(throws: MessageDecodingError.self) { try Int64(jsonBytes: Array(text.utf8)) }
    }

    @Test func numbersThatAreNotFiniteAreRefused() {
        #expect(throws: MessageDecodingError.self) { try Double(jsonBytes: Array("1e999".utf8)) }
        #expect(Double.infinity.jsonBytes == Array("null".utf8))
    }

    @Test(arguments: [
        (0.000771411, "0.000771411"), (0.75, "0.75"), (3, "3"), (-0.0, "0"), (1e21, "1e+21"),
    ])
    func doublesAreWrittenShort(value: Double, text: String) throws {
        #expect(String(decoding: value.jsonBytes, as: UTF8.self) == text)
        #expect(try Double(jsonBytes: value.jsonBytes) == value)
    }

    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="),
        ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
    ])
    func base64OfRFC4648(plain: String, encoded: String) throws {
        #expect(Base64Bytes(Array(plain.utf8)).text == encoded)
        let decoded = try Base64Bytes(json: .string(encoded))
        #expect(decoded.bytes == Array(plain.utf8))
    }

    @Test(arguments: ["Z", "Zg", "Zg=", "Z===", "====", "Zg==Zg==", "Z!==", "Zm9v\n"])
    func malformedBase64IsRefused(text: String) {
        #expect(throws: MessageDecodingError.self) { try Base64Bytes(json: .string(text)) }
    }

    @Test func errorsNameThePlace() throws {
        let text = #"{"Node":{"ID":1,"Addresses":["100.64.0.1/32","x"]}}"#
        let error = #expect(throws: MessageDecodingError.self) {
            try MapResponse(jsonBytes: Array(text.utf8))
        }
        #expect(error?.path == "Node.Addresses[1]")
    }
}
