internal import NetTypes

/// The address of a coordination server as people write it: `https://mesh.example.org`,
/// `http://10.0.0.1:8080`, `mesh.example.org` (which means https).
package struct ServerURL: Hashable, Sendable {
    package enum Scheme: String, Sendable {
        case http, https
    }

    /// Why a text is not the URL of a server.
    package enum ParseError: Error, Equatable {
        case empty
        /// Neither http nor https.
        case unsupportedScheme(String)
        case missingHost
        case invalidHost(String)
        case invalidPort(String)
        /// A path, a query or a user name: a control server lives at the root of its host.
        case unexpectedPart(String)
    }

    package let scheme: Scheme
    /// A DNS name in lower case, or an address; an IPv6 address stands without brackets.
    package let host: String
    package let port: UInt16

    package init(_ text: String) throws(ParseError) {
        guard !text.isEmpty else { throw .empty }
        var rest = Substring(text)
        var scheme = Scheme.https
        if let colon = text.firstRange(of: "://") {
            let name = text[..<colon.lowerBound].lowercased()
            guard let known = Scheme(rawValue: name) else { throw .unsupportedScheme(name) }
            scheme = known
            rest = text[colon.upperBound...]
        }
        while rest.hasSuffix("/") { rest.removeLast() }
        if let extra = rest.firstIndex(where: { "/?#@".contains($0) }) {
            throw .unexpectedPart(String(rest[extra...]))
        }
        let (host, port) = try Self.split(rest)
        guard !host.isEmpty else { throw .missingHost }
        guard Self.isHost(host) else { throw .invalidHost(host) }
        self.scheme = scheme
        self.host = host.lowercased()
        self.port = port ?? (scheme == .https ? 443 : 80)
    }

    private static func split(
        _ text: Substring
    ) throws(ParseError) -> (host: String, port: UInt16?) {
        var host = text
        var digits: Substring?
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { throw .invalidHost(String(text)) }
            host = text[text.index(after: text.startIndex)..<end]
            guard IPv6Address(host) != nil else { throw .invalidHost(String(host)) }
            let tail = text[text.index(after: end)...]
            if tail.hasPrefix(":") {
                digits = tail.dropFirst()
            } else if !tail.isEmpty {
                throw .invalidHost(String(text))
            }
        } else if IPv6Address(text) == nil, let colon = text.lastIndex(of: ":") {
            host = text[..<colon]
            digits = text[text.index(after: colon)...]
        }
        guard let digits else { return (String(host), nil) }
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(digits),
            port > 0
        else { throw .invalidPort(String(digits)) }
        return (String(host), port)
    }

    /// Letters, digits, hyphens, dots and underscores up to 253 characters, or an address.
    private static func isHost(_ text: String) -> Bool {
        if IPv6Address(text) != nil { return true }
        guard text.utf8.count <= 253, !text.hasPrefix("."), !text.contains("..") else {
            return false
        }
        return text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: "_"):
                true
            default: false
            }
        }
    }

    /// Whether the host is an address rather than a name: TLS sends no server name for those.
    package var isAddress: Bool { IPv4Address(host) != nil || IPv6Address(host) != nil }

    /// `host:port`, with brackets around an IPv6 address.
    package var authority: String { "\(bracketedHost):\(port)" }

    /// What goes into the `Host` header: the port only where it is not the scheme's own.
    var hostHeader: String { isDefaultPort ? bracketedHost : authority }

    private var bracketedHost: String { host.contains(":") ? "[\(host)]" : host }
    private var isDefaultPort: Bool { port == (scheme == .https ? 443 : 80) }
}

extension ServerURL: CustomStringConvertible {
    /// `https://mesh.example.org`, without a trailing slash or a default port.
    package var description: String { "\(scheme.rawValue)://\(hostHeader)" }
}
