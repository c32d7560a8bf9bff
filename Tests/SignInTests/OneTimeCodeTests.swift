import NetTypes
import SignIn
import Testing

@Suite struct OneTimeCodeTests {
    private let secret = Array("12345678901234567890".utf8)

    @Test(
        "Codes are those of RFC 6238, appendix B",
        arguments: [
            (59, "94287082"), (1_111_111_109, "07081804"), (1_111_111_111, "14050471"),
            (1_234_567_890, "89005924"), (2_000_000_000, "69279037"),
            (20_000_000_000, "65353130"),
        ] as [(Int64, String)])
    func vectors(seconds: Int64, code: String) {
        let step = OneTimeCode.step(at: Timestamp(unixSeconds: seconds))
        #expect(OneTimeCode.code(secret: secret, step: step, digits: 8) == code)
        #expect(OneTimeCode.code(secret: secret, step: step) == code.suffix(6))
    }

    @Test(
        "Codes are those of RFC 4226, appendix D",
        arguments: zip(
            Int64(0)..<8,
            ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583"]))
    func counters(step: Int64, code: String) {
        #expect(OneTimeCode.code(secret: secret, step: step) == code)
    }

    @Test("A neighbour of the current step is accepted, and none that is spent")
    func window() {
        let now = Timestamp(unixSeconds: 1_000_000)
        let step = OneTimeCode.step(at: now)
        for distance in Int64(-3)...3 {
            let code = OneTimeCode.code(secret: secret, step: step + distance)
            let accepted = OneTimeCode.acceptedStep(code, secret: secret, at: now, after: 0)
            #expect(accepted == (abs(distance) <= 1 ? step + distance : nil))
            let later = OneTimeCode.acceptedStep(code, secret: secret, at: now, after: step)
            #expect(later == (distance == 1 ? step + 1 : nil))
        }
    }

    @Test(
        "Blanks in a code do not matter; other text is no code",
        arguments: [
            ("755 224", true), ("755224 ", true), ("", false), ("75522", false), ("7552244", false),
            ("75522٤", false), ("abcdef", false),
        ])
    func typed(text: String, isAccepted: Bool) {
        let now = Timestamp(unixSeconds: 5)
        let step = OneTimeCode.acceptedStep(text, secret: secret, at: now, after: -5)
        #expect((step != nil) == isAccepted)
    }

    @Test(
        "Base32 is that of RFC 4648, section 10",
        arguments: [
            ("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"), ("foobar", "MZXW6YTBOI"),
        ])
    func base32(text: String, encoded: String) {
        #expect(Base32.encode(Array(text.utf8)) == encoded)
        #expect(decodeBase32(encoded) == Array(text.utf8))
    }

    @Test("An authenticator's address escapes what would change its meaning")
    func address() {
        let text = OneTimeCode.address(
            secret: Array("foobar".utf8), issuer: "My Net&x=1", account: "a+b@c?d")
        #expect(
            text == "otpauth://totp/My%20Net%26x%3D1:a%2Bb%40c%3Fd?secret=MZXW6YTBOI"
                + "&issuer=My%20Net%26x%3D1")
    }
}
