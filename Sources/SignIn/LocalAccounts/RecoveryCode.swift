internal import CryptoPrimitives
internal import NetTypes

/// Codes on paper for the day the authenticator is gone: fifty random bits each, good once.
package enum RecoveryCode {
    package static var count: Int { 10 }
    /// Without letters that look like others.
    private static let alphabet = Array("abcdefghijkmnpqrstuvwxyz23456789".utf8)

    /// Ten letters and digits in two groups.
    static func make(random: inout some RandomNumberGenerator) -> String {
        let letters = random.bytes(count: 10).map { alphabet[Int($0 & 31)] }
        return String(decoding: letters.prefix(5), as: UTF8.self) + "-"
            + String(decoding: letters.suffix(5), as: UTF8.self)
    }

    /// What was typed, as it is hashed; nil when it is no recovery code at all.
    static func normalized(_ typed: String) -> [UInt8]? {
        let letters = typed.lowercased().utf8.filter { $0 != 0x20 && $0 != 0x2D }
        guard letters.count == 10, letters.allSatisfy({ alphabet.contains($0) }) else { return nil }
        return Array(letters)
    }
}
