internal import NetTypes

/// An address at a provider that this server may ask: `https`, or `http` on this machine, where no
/// network is between.
package struct ProviderURL: Equatable, Sendable {
    package let text: String
    package let isSecure: Bool
    package let host: String

    package init?(_ text: String) {
        guard text.utf8.count <= 2048, text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }),
            !text.contains("#"), !text.contains("\\"), !text.contains("\"")
        else { return nil }
        isSecure = text.hasPrefix("https://")
        guard isSecure || text.hasPrefix("http://") else { return nil }
        let authority = text.dropFirst(isSecure ? 8 : 7).prefix { $0 != "/" && $0 != "?" }
        guard !authority.isEmpty, !authority.contains("@") else { return nil }
        let name: Substring
        if authority.hasPrefix("[") {
            name = authority.dropFirst().prefix { $0 != "]" }
            guard IPv6Address(name) != nil else { return nil }
            guard Self.isPort(authority.dropFirst(name.count + 2)) else { return nil }
        } else {
            name = authority.prefix { $0 != ":" }
            guard !name.isEmpty, Self.isPort(authority.dropFirst(name.count)) else { return nil }
        }
        host = name.lowercased()
        self.text = text
        let isHere =
            host == "localhost" || IPAddress(host)?.isLoopback == true
        guard isSecure || isHere else { return nil }
    }

    private static func isPort(_ text: Substring) -> Bool {
        if text.isEmpty { return true }
        guard text.hasPrefix(":"), text.dropFirst().utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }),
            let port = UInt16(text.dropFirst())
        else { return false }
        return port > 0
    }
}
