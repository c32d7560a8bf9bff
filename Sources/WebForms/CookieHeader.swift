/// `Cookie` headers (RFC 6265 §4.2).
package enum CookieHeader {
    /// The value of a cookie; nil when there is none, or several, which no honest browser sends.
    package static func value(_ name: String, in headers: [String]) -> String? {
        var found: String?
        for header in headers {
            for part in header.split(separator: ";") {
                let text = part.drop { $0 == " " }
                guard text.hasPrefix(name + "=") else { continue }
                guard found == nil else { return nil }
                found = String(text.dropFirst(name.count + 1))
            }
        }
        return found
    }
}
