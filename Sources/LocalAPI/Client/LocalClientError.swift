/// Why the daemon did not do what was asked; the text is for the person at the terminal.
package enum LocalClientError: Error, Equatable, CustomStringConvertible {
    case notRunning(path: String)
    case permissionDenied(path: String)
    case system(path: String, code: Int32)
    /// The daemon answered, and said no.
    case refused(status: Int, message: String)
    /// What answers at the socket does not speak as the daemon does.
    case unexpectedAnswer(detail: String)
    /// The daemon ended the conversation, perhaps because it stops.
    case disconnected

    package var description: String {
        switch self {
        case .notRunning(let path):
            """
            the skein daemon is not running (nothing answers at \(path)); start it with \
            'sudo skein daemon'
            """
        case .permissionDenied(let path):
            "no permission to open \(path); try it with sudo"
        case .system(let path, let code): "cannot connect to \(path): \(errorText(code))"
        case .refused(_, let message): message
        case .unexpectedAnswer(let detail):
            "the daemon's answer is not understood (\(detail)); are both of the same version?"
        case .disconnected: "the daemon went away"
        }
    }
}
