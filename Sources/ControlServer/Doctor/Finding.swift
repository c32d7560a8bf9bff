/// What `skein-server doctor` found: one line.
package struct Finding: Equatable, Sendable, CustomStringConvertible {
    package enum Severity: String, Sendable {
        case good = "ok"
        /// It works, but is not as it should be.
        case doubtful = "warning"
        /// It does not work.
        case bad = "problem"
    }

    package var severity: Severity
    /// What it is about: `provider corp`, `accounts`.
    package var subject: String
    package var text: String

    package init(_ severity: Severity, _ subject: String, _ text: String) {
        self.severity = severity
        self.subject = subject
        self.text = text
    }

    package var description: String { "\(severity.rawValue): \(subject): \(text)" }
}
