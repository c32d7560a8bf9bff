internal import CCrypto

/// Passwords as Argon2id hashes (RFC 9106). Slow and hungry on purpose: never on an event loop.
package enum PasswordHash {
    /// How much work a hash is.
    package struct Cost: Equatable, Sendable {
        /// Times the memory is filled, at least 1.
        package var passes: UInt64
        /// Bytes, at least 8 KiB.
        package var memory: Int

        package init(passes: UInt64, memory: Int) {
            precondition(passes >= 1 && memory >= 8192, "less work is no Argon2id")
            self.passes = passes
            self.memory = memory
        }

        /// More than OWASP's least (19 MiB, 2 passes); 100 to 300 ms on a core of these years.
        package static var standard: Self { Self(passes: 10, memory: 48 << 20) }
        /// For tests only.
        package static var least: Self { Self(passes: 1, memory: 8192) }
    }

    /// A hash with a salt of its own; the text holds the parameters. Nil when there is not enough
    /// memory.
    package static func make(_ password: String, cost: Cost) -> String? {
        requireLibraries()
        var bytes = Array(password.utf8)
        defer { wipe(&bytes) }
        var text = [CChar](repeating: 0, count: Int(CCRYPTO_PASSWORD_TEXT))
        let span = unsafe bytes.span.bytes
        let isMade = unsafe text.withUnsafeMutableBufferPointer { out in
            unsafe span.pointer { password in
                unsafe ccrypto_password_hash(
                    out.baseAddress!, password, span.byteCount, cost.passes, cost.memory)
            }
        }
        guard isMade == 1 else { return nil }
        return String(
            decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// A text that no password has as its hash, but that takes as long to compare.
    package static func decoy(cost: Cost, random: inout some RandomNumberGenerator) -> String {
        func letters(_ count: Int) -> String {
            String(
                decoding: random.bytes(count: count).map { 0x41 + $0 % 26 }, as: UTF8.self)
        }
        // Sixteen bytes of salt and 32 of hash in Base64; the letter A has no bits that are left over.
        return "$argon2id$v=19$m=\(cost.memory / 1024),t=\(cost.passes),p=1$\(letters(21))A"
            + "$\(letters(42))A"
    }

    /// Takes as long as it took to make the hash.
    package static func matches(_ password: String, _ hash: String) -> Bool {
        requireLibraries()
        var bytes = Array(password.utf8)
        defer { wipe(&bytes) }
        let span = unsafe bytes.span.bytes
        return unsafe hash.withCString { text in
            unsafe span.pointer { password in
                unsafe ccrypto_password_verify(text, password, span.byteCount) == 1
            }
        }
    }

    /// Whether the hash was made at another cost, so that a new one should take its place.
    package static func isOutdated(_ hash: String, cost: Cost) -> Bool {
        requireLibraries()
        return unsafe hash.withCString { text in
            unsafe ccrypto_password_is_outdated(text, cost.passes, cost.memory) == 1
        }
    }

    /// Whether the text has the form that `make` gives.
    package static func isWellFormed(_ hash: String) -> Bool {
        hash.hasPrefix("$argon2id$v=19$m=") && hash.utf8.count < Int(CCRYPTO_PASSWORD_TEXT)
            && hash.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }
}
