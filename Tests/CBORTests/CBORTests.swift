import CBOR
import Testing

private func bytes(_ hexadecimal: String) -> [UInt8] {
    let digits = Array(hexadecimal.filter { $0 != " " })
    return stride(from: 0, to: digits.count, by: 2).map {
        UInt8(String(digits[$0...$0 + 1]), radix: 16)!
    }
}

@Suite struct CBORTests {
    /// RFC 8949, appendix A.
    @Test(
        "The examples of RFC 8949 that authenticators may use are read",
        arguments: [
            ("00", .integer(0)), ("01", .integer(1)), ("0a", .integer(10)), ("17", .integer(23)),
            ("1818", .integer(24)), ("1864", .integer(100)), ("1903e8", .integer(1000)),
            ("1a000f4240", .integer(1_000_000)),
            ("1b000000e8d4a51000", .integer(1_000_000_000_000)), ("20", .integer(-1)),
            ("3863", .integer(-100)), ("3903e7", .integer(-1000)), ("f4", .bool(false)),
            ("f5", .bool(true)), ("f6", .null), ("40", .bytes([])),
            ("4401020304", .bytes([1, 2, 3, 4])), ("60", .text("")), ("6161", .text("a")),
            ("6449455446", .text("IETF")), ("62225c", .text("\"\\")), ("62c3bc", .text("ü")),
            ("64f0908591", .text("\u{10151}")), ("80", .array([])),
            ("83010203", .array([.integer(1), .integer(2), .integer(3)])),
            (
                "8301820203820405",
                .array([
                    .integer(1), .array([.integer(2), .integer(3)]),
                    .array([.integer(4), .integer(5)]),
                ])
            ), ("a0", .map([])),
            (
                "a201020304",
                .map([.init(.integer(1), .integer(2)), .init(.integer(3), .integer(4))])
            ),
            (
                "a26161016162820203",
                .map([
                    .init(.text("a"), .integer(1)),
                    .init(.text("b"), .array([.integer(2), .integer(3)])),
                ])
            ), ("1b7fffffffffffffff", .integer(.max)), ("3b7fffffffffffffff", .integer(.min)),
        ] as [(String, CBOR)])
    func examples(text: String, value: CBOR) throws {
        #expect(try CBOR(parsing: bytes(text)) == value)
    }

    @Test(
        "What an authenticator does not write is refused, and why is said",
        arguments: [
            ("", .unexpectedEnd), ("18", .unexpectedEnd), ("1900", .unexpectedEnd),
            ("4401", .unexpectedEnd), ("8201", .unexpectedEnd), ("a101", .unexpectedEnd),
            ("0000", .trailingBytes), ("1817", .notShortest), ("190018", .notShortest),
            ("1a00000100", .notShortest), ("1b0000000000000100", .notShortest),
            ("580161", .notShortest), ("1bffffffffffffffff", .tooLarge),
            ("3b8000000000000000", .tooLarge), ("a201010102", .duplicateKey),
            ("a2616101616102", .duplicateKey), ("61ff", .invalidText), ("62c328", .invalidText),
            ("c11a514b67b0", .unsupported(0xC1)), ("f90000", .unsupported(0xF9)),
            ("fb3ff199999999999a", .unsupported(0xFB)), ("f7", .unsupported(0xF7)),
            ("5f4101ff", .unsupported(0x5F)), ("9fff", .unsupported(0x9F)),
            ("bfff", .unsupported(0xBF)), ("1c", .unsupported(0x1C)),
            ("818181818100", .tooDeep), ("9bffffffffffffffff", .tooMany),
            ("bb7fffffffffffffff", .tooMany), ("5b7fffffffffffffff", .unexpectedEnd),
        ] as [(String, CBORError)])
    func refused(text: String, error: CBORError) {
        #expect(throws: error) { try CBOR(parsing: bytes(text)) }
    }

    @Test("Values in all are counted, however they are nested")
    func many() throws {
        // Two arrays of 255 elements and the one around them are 513 values.
        let inner = [0x98, 0xFF] + [UInt8](repeating: 0, count: 255)
        #expect(throws: CBORError.tooMany) { try CBOR(parsing: [0x82] + inner + inner) }
        let value = try CBOR(parsing: inner)
        #expect(value == .array([CBOR](repeating: .integer(0), count: 255)))
    }

    @Test("A value is read from among others")
    func prefix() throws {
        let all = bytes("00 a1 01 02 f5")
        var position = 1
        let value = try CBOR.read(all, at: &position)
        #expect(value[1] == .integer(2) && value[2] == nil && value["1"] == nil)
        #expect(position == 4)
    }
}
