import NetTypes

/// The server as authenticators know it: credentials are bound to `id`, and are used by pages of
/// `origin` only (WebAuthn level 3, §4 and §13.4.9).
package struct RelyingParty: Equatable, Sendable {
    /// A host name.
    package let id: String
    /// Scheme, host and, unless it is the usual one, port.
    package let origin: String
    /// What browsers may show.
    package let name: String

    /// Nil where browsers have no passkeys: pages that come neither over TLS nor from this machine, and
    /// hosts without a name.
    package init?(serverURL: String, name: String) {
        let parts = serverURL.lowercased().split(separator: "://", maxSplits: 1)
        guard parts.count == 2 else { return nil }
        let (scheme, rest) = (parts[0], parts[1])
        guard let authority = rest.split(separator: "/", omittingEmptySubsequences: false).first,
            !authority.contains("["), !authority.contains("@")
        else { return nil }
        let pieces = authority.split(separator: ":", omittingEmptySubsequences: false)
        guard let first = pieces.first, !first.isEmpty, pieces.count <= 2 else { return nil }
        let host = String(first)
        let isLocal = host == "localhost" || host.hasSuffix(".localhost")
        guard scheme == "https" || scheme == "http" && isLocal, IPAddress(host) == nil else {
            return nil
        }
        let usual = scheme == "https" ? "443" : "80"
        let port = pieces.count == 2 && pieces[1] != usual ? ":\(pieces[1])" : ""
        id = host
        origin = "\(scheme)://\(host)\(port)"
        self.name = name
    }
}
