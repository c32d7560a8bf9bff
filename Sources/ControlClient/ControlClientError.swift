/// Why the coordination server could not be used. The description is for people and says what to
/// check next; it contains no secret.
package enum ControlClientError: Error, Equatable {
    case invalidURL(text: String, ServerURL.ParseError)
    /// The name has no address, or no name server answered.
    case unknownHost(String)
    case connectionRefused(ServerURL)
    case unreachable(ServerURL, reason: String)
    case timedOut(ServerURL, doing: Activity)
    case tls(ServerURL, TLSFailure)
    /// Something answers there, but it is not a coordination server.
    case notAControlServer(ServerURL, detail: String)
    /// The server has no Noise key: it is older than the protocol this client speaks.
    case serverTooOld(ServerURL)
    /// The server closed or refused the handshake, which is what a changed server key looks like.
    case handshakeRefused(ServerURL, reason: String)
    /// An answer other than 200, with at most 200 characters of its text.
    case refused(status: Int, text: String)
    /// The server asks for a pause (429).
    case tooManyRequests(retryAfter: Duration, text: String)
    /// The connection ended, or its peer stopped answering.
    case connectionLost(reason: String)
    /// Nothing came on the map stream for the watchdog's time.
    case mapStreamSilent(after: Duration)
    /// The server sent what the protocol does not allow.
    case malformedAnswer(String)
    case cancelled
    /// `close()` was called.
    case closed

    package enum Activity: String, Sendable {
        case connecting = "connecting"
        case fetchingKey = "asking for its key"
        case handshaking = "shaking hands"
        case awaitingAnswer = "waiting for its answer"
    }

    package enum TLSFailure: Equatable, Sendable {
        /// Self-signed, signed by an authority this machine does not know, or out of date.
        case untrustedCertificate
        case wrongName
        /// The other side does not speak TLS.
        case notTLS
        case other(String)
    }
}

extension ControlClientError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .invalidURL(let text, let reason):
            "\"\(text)\" is not the URL of a server (\(reason.explanation)); write it like https://mesh.example.org"
        case .unknownHost(let host):
            "cannot find the host \(host): check the name, and whether this machine has a working name server"
        case .connectionRefused(let url):
            "nothing listens at \(url.authority): is the server running, and is the port right?"
        case .unreachable(let url, let reason): "cannot reach \(url): \(reason)"
        case .timedOut(let url, let activity):
            "\(url) did not answer in time while \(activity.rawValue)"
        case .tls(let url, let failure): failure.explanation(url)
        case .notAControlServer(let url, let detail):
            "\(url) is not a coordination server: \(detail)"
        case .serverTooOld(let url):
            "\(url) is too old: it does not offer the Noise protocol"
        case .handshakeRefused(let url, let reason):
            "\(url) refused the handshake: \(reason)"
        case .refused(let status, let text): "the server answered \(status): \(text)"
        case .tooManyRequests(let pause, let text):
            "the server asks to wait \(pause.components.seconds) s: \(text)"
        case .connectionLost(let reason): "the connection to the server was lost: \(reason)"
        case .mapStreamSilent(let time):
            "the server has sent nothing for \(time.components.seconds) s"
        case .malformedAnswer(let detail): "the server sent something unexpected: \(detail)"
        case .cancelled: "cancelled"
        case .closed: "the connection to the server is closed"
        }
    }
}

extension ServerURL.ParseError {
    var explanation: String {
        switch self {
        case .empty: "it is empty"
        case .unsupportedScheme(let scheme): "\(scheme) is neither http nor https"
        case .missingHost: "it names no host"
        case .invalidHost(let host): "\"\(host)\" is no host name"
        case .invalidPort(let port): "\"\(port)\" is no port"
        case .unexpectedPart(let part): "\"\(part)\" does not belong there"
        }
    }
}

extension ControlClientError.TLSFailure {
    func explanation(_ url: ServerURL) -> String {
        switch self {
        case .untrustedCertificate:
            "the certificate of \(url.authority) is not trusted: it is self-signed, out of date, or signed by an authority this machine does not know"
        case .wrongName:
            "the certificate of \(url.authority) is for another name than \(url.host)"
        case .notTLS:
            "\(url.authority) does not speak TLS: if that is meant, write http:// instead of https://"
        case .other(let reason): "TLS with \(url.authority) failed: \(reason)"
        }
    }
}
