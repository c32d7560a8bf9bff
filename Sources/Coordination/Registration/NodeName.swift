/// Names of nodes: DNS labels (RFC 1035 §2.3.1) made from whatever a machine calls itself.
package enum NodeName {
    package static var maximumByteCount: Int { 63 }

    /// A label made from a host name; `node` when nothing of it is fit for one.
    package static func label(fromHostname hostname: String) -> String {
        var bytes = Array(hostname.utf8)
        for suffix in [".local", ".localdomain", ".lan"] where bytes.count > suffix.utf8.count {
            if bytes.suffix(suffix.utf8.count).map(lowercase) == Array(suffix.utf8) {
                bytes.removeLast(suffix.utf8.count)
                break
            }
        }
        let cut = trimmed(bytes.prefix(maximumByteCount))
        let label = cut.compactMap { byte -> UInt8? in
            switch byte {
            case UInt8(ascii: " "), UInt8(ascii: "."), UInt8(ascii: "@"), UInt8(ascii: "_"),
                UInt8(ascii: "-"):
                UInt8(ascii: "-")
            default: isAlphanumeric(byte) ? lowercase(byte) : nil
            }
        }
        return label.isEmpty ? "node" : String(decoding: label, as: UTF8.self)
    }

    /// Whether a text is a label in lower case.
    package static func isLabel(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard (1...maximumByteCount).contains(bytes.count) else { return false }
        return trimmed(bytes[...]).count == bytes.count
            && bytes.allSatisfy {
                $0 == UInt8(ascii: "-") || isAlphanumeric($0) && $0 == lowercase($0)
            }
    }

    /// `base`, or `base-1`, `base-2`, …: the first that is not taken.
    static func unique(_ base: String, isTaken: (String) -> Bool) -> String {
        guard isTaken(base) else { return base }
        var number = 1
        while true {
            let suffix = "-\(number)"
            let candidate = base.prefix(maximumByteCount - suffix.utf8.count) + suffix
            if !isTaken(String(candidate)) { return String(candidate) }
            number += 1
        }
    }

    private static func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let start = bytes.drop { !isAlphanumeric($0) }
        let end = start.lastIndex(where: isAlphanumeric).map { $0 + 1 } ?? start.startIndex
        return start[..<end]
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20)
    }

    private static func lowercase(_ byte: UInt8) -> UInt8 {
        (0x41...0x5A).contains(byte) ? byte | 0x20 : byte
    }
}
