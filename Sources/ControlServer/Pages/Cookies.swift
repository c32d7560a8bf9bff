import HTTPTypes
import Hummingbird
import NIOCore
import NetTypes

/// The cookies of the pages. Over TLS their names begin with `__Host-`, so that no other host and no
/// plain connection can set them.
struct CookieJar: Sendable {
    var isSecure: Bool

    enum Kind: String {
        /// Tells browsers apart, from the first visit.
        case browser = "skein-browser"
        case session = "skein-session"
    }

    private func name(_ kind: Kind) -> String { (isSecure ? "__Host-" : "") + kind.rawValue }

    /// The value that a request has; nil when it has none, or several, which no honest browser sends.
    func value(_ kind: Kind, in headers: HTTPFields) -> String? {
        let name = name(kind)
        var found: String?
        for header in headers[values: .cookie] {
            for part in header.split(separator: ";") {
                let text = part.drop { $0 == " " }
                guard text.hasPrefix(name + "=") else { continue }
                guard found == nil else { return nil }
                found = String(text.dropFirst(name.utf8.count + 1))
            }
        }
        return found
    }

    /// What sets a cookie, for so many seconds; zero takes it away.
    func setting(_ kind: Kind, _ value: String, seconds: Int64) -> String {
        "\(name(kind))=\(value); Path=/; Max-Age=\(seconds); HttpOnly; SameSite=Lax"
            + (isSecure ? "; Secure" : "")
    }
}

/// The fields of a form that was sent (`application/x-www-form-urlencoded`).
struct FormFields: Sendable {
    private var values: [String: String] = [:]

    /// The most fields that any page has, with room.
    private static var limit: Int { 32 }

    init(urlEncoded text: String) {
        for pair in text.split(separator: "&").prefix(Self.limit) {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = Self.decoded(parts[0])
            // The first counts, as everywhere here.
            if values[name] == nil {
                values[name] = parts.count > 1 ? Self.decoded(parts[1]) : ""
            }
        }
    }

    private static func decoded(_ text: Substring) -> String {
        percentDecoded(String(text.map { $0 == "+" ? " " : $0 }))
    }

    /// Empty when there is none.
    subscript(_ name: String) -> String { values[name] ?? "" }
}
