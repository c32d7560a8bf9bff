/// A request to a provider, to be sent outside. Redirects in the reply must not be followed: it
/// carries secrets.
package struct ProviderRequest: Equatable, Sendable {
    package struct Header: Equatable, Sendable {
        package var name: String
        package var value: String
    }

    package var url: ProviderURL
    package var headers: [Header]
    /// Of a POST; nil: a GET.
    package var form: String?

    package init(_ url: ProviderURL, headers: [Header] = [], form: String? = nil) {
        self.url = url
        self.headers = [Header(name: "Accept", value: "application/json")] + headers
        self.form = form
        if form != nil {
            self.headers.append(
                Header(name: "Content-Type", value: "application/x-www-form-urlencoded"))
        }
    }
}

/// What came back.
package enum ProviderReply: Equatable, Sendable {
    case answer(status: Int, body: [UInt8])
    /// Nothing, too late, or too much: the reason in words.
    case none(String)
}
