/// The fields of a form or a query (`application/x-www-form-urlencoded`).
package struct FormFields: Equatable, Sendable {
    private var values: [String: String] = [:]
    /// Whether a name came twice. The first counts, but an answer of a provider must not be so
    /// (RFC 6749 §3.1).
    package private(set) var hasRepeatedNames = false

    /// The most fields that any page or answer has, with room.
    package static var limit: Int { 32 }

    /// Fields beyond `limit` are left out.
    package init(urlEncoded text: some StringProtocol) {
        for pair in text.split(separator: "&").prefix(Self.limit) {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = Self.decoded(parts[0])
            if values[name] == nil {
                values[name] = parts.count > 1 ? Self.decoded(parts[1]) : ""
            } else {
                hasRepeatedNames = true
            }
        }
    }

    /// A name or value: `+` is a space.
    package static func decoded(_ text: some StringProtocol) -> String {
        percentDecoded(String(text.map { $0 == "+" ? " " : $0 }))
    }

    /// Empty when there is none.
    package subscript(_ name: String) -> String { values[name] ?? "" }

    /// Writes fields in their order, as they stand in a query or a form.
    package static func encode(_ fields: [(name: String, value: String)]) -> String {
        fields.map { "\(percentEncoded($0.name))=\(percentEncoded($0.value))" }
            .joined(separator: "&")
    }
}
