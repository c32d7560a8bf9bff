/// Why a provider's answer, or the want of one, signs nobody in.
package struct ProviderFailure: Error, Equatable, Sendable {
    /// A sentence for the person.
    package var text: String
    /// For the log and the audit log, without secrets.
    package var detail: String
    /// Whether the sign-in was under way in this browser: only then the audit log hears of it.
    package var wasUnderWay: Bool

    package init(text: String, detail: String, wasUnderWay: Bool) {
        self.text = text
        self.detail = detail
        self.wasUnderWay = wasUnderWay
    }
}
