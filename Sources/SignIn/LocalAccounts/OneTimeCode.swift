internal import CryptoPrimitives
package import NetTypes
internal import WebForms

/// One-time codes made from the time: RFC 6238 with SHA-1, six digits and steps of 30 seconds, the
/// form that all authenticators know.
package enum OneTimeCode {
    /// As long as the hash (RFC 4226 §4, R6).
    package static var secretByteCount: Int { 20 }
    private static var stepSeconds: Int64 { 30 }

    package static func step(at time: Timestamp) -> Int64 { time.unixSeconds / stepSeconds }

    /// The code of a step (RFC 4226 §5.3).
    package static func code(secret: [UInt8], step: Int64, digits: Int = 6) -> String {
        precondition((6...8).contains(digits), "a code has 6 to 8 digits")
        let counter = (0..<8).map { UInt8(truncatingIfNeeded: step >> Int64(56 - 8 * $0)) }
        let mac = unsafe HMACSHA1.mac(key: secret.span.bytes, counter.span.bytes)
        let offset = Int(mac[19] & 15)
        let value = mac[offset..<offset + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        let modulus = (0..<digits).reduce(UInt32(1)) { power, _ in power * 10 }
        let text = String((value & 0x7FFF_FFFF) % modulus)
        return String(repeating: "0", count: digits - text.utf8.count) + text
    }

    /// The step whose code was typed: the current one or a neighbour, and later than `last`, so that
    /// no code is good twice. All three are compared in any case.
    package static func acceptedStep(
        _ typed: String, secret: [UInt8], at time: Timestamp, after last: Int64
    ) -> Int64? {
        let typed = Array(typed.utf8.filter { $0 != 0x20 })
        let current = step(at: time)
        var accepted: Int64?
        for step in current - 1...current + 1 {
            let expected = Array(code(secret: secret, step: step).utf8)
            if unsafe constantTimeEqual(typed.span.bytes, expected.span.bytes), step > last {
                accepted = accepted ?? step
            }
        }
        return accepted
    }

    /// What an authenticator reads from a QR code (Google's Key URI format).
    package static func address(secret: [UInt8], issuer: String, account: String) -> String {
        let issuer = percentEncoded(issuer)
        return "otpauth://totp/\(issuer):\(percentEncoded(account))?secret=\(Base32.encode(secret))"
            + "&issuer=\(issuer)"
    }
}

/// RFC 4648 §6, without padding.
package enum Base32 {
    package static func encode(_ bytes: [UInt8]) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".utf8)
        var text: [UInt8] = []
        var buffer: UInt32 = 0
        var bits = 0
        for byte in bytes {
            buffer = buffer << 8 | UInt32(byte)
            bits += 8
            while bits >= 5 {
                bits -= 5
                text.append(alphabet[Int(buffer >> UInt32(bits) & 31)])
            }
            buffer &= 0xFF
        }
        if bits > 0 { text.append(alphabet[Int(buffer << UInt32(5 - bits) & 31)]) }
        return String(decoding: text, as: UTF8.self)
    }
}
