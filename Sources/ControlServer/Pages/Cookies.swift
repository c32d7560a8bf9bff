import HTTPTypes
import Hummingbird
import NIOCore
import NetTypes
import WebForms

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
        CookieHeader.value(name(kind), in: headers[values: .cookie])
    }

    /// What sets a cookie, for so many seconds; zero takes it away.
    func setting(_ kind: Kind, _ value: String, seconds: Int64) -> String {
        "\(name(kind))=\(value); Path=/; Max-Age=\(seconds); HttpOnly; SameSite=Lax"
            + (isSecure ? "; Secure" : "")
    }
}
