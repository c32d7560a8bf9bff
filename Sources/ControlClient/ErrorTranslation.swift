internal import ControlTransport
internal import NIOCore
internal import NIOHTTP1
internal import NIOHTTP2
internal import NIOPosix
internal import NIOSSL
internal import Noise

extension ControlClientError {
    /// What an error of the network, TLS or the transport means to the user.
    static func translating(
        _ error: any Error, _ url: ServerURL, while activity: Activity
    ) -> ControlClientError {
        switch error {
        case let error as ControlClientError: error
        case is CancellationError: .cancelled
        case let error as NIOConnectionError: connection(error, url)
        case let error as ChannelError: channel(error, url, activity)
        case let error as ControlTransportError: transport(error, url)
        case let error as NIOSSLError: .tls(url, TLSFailure(error))
        case let error as BoringSSLError: .tls(url, TLSFailure(error))
        case let error as NIOSSLExtraError: .tls(url, TLSFailure(error))
        case let error as IOError: system(error, url)
        case is HTTPParserError:
            .notAControlServer(url, detail: "what it says is not HTTP" + (tlsHint(url)))
        default: .connectionLost(reason: "\(error)")
        }
    }

    private static func connection(
        _ error: NIOConnectionError, _ url: ServerURL
    ) -> ControlClientError {
        guard !error.connectionErrors.isEmpty else { return .unknownHost(url.host) }
        for failure in error.connectionErrors {
            if case .connectTimeout = failure.error as? ChannelError {
                return .timedOut(url, doing: .connecting)
            }
        }
        guard let first = error.connectionErrors[0].error as? IOError else {
            return .unreachable(url, reason: "\(error.connectionErrors[0].error)")
        }
        return system(first, url)
    }

    private static func system(_ error: IOError, _ url: ServerURL) -> ControlClientError {
        switch error.errnoCode {
        case SystemErrorCode.connectionRefused: .connectionRefused(url)
        case SystemErrorCode.timedOut: .timedOut(url, doing: .connecting)
        case SystemErrorCode.connectionReset:
            .connectionLost(reason: "it was reset by the other side")
        default: .unreachable(url, reason: "\(error)")
        }
    }

    private static func channel(
        _ error: ChannelError, _ url: ServerURL, _ activity: Activity
    ) -> ControlClientError {
        switch error {
        case .connectTimeout: .timedOut(url, doing: .connecting)
        case .alreadyClosed, .ioOnClosedChannel, .eof, .inputClosed, .outputClosed:
            .connectionLost(
                reason: "the other side closed it while \(activity.rawValue)"
                    + (activity == .fetchingKey ? tlsHint(url) : ""))
        default: .connectionLost(reason: "\(error)")
        }
    }

    private static func transport(
        _ error: ControlTransportError, _ url: ServerURL
    ) -> ControlClientError {
        switch error {
        case .upgradeRefused(let status, let text):
            .notAControlServer(
                url,
                detail:
                    "it answers \(status) to the upgrade\(text.isEmpty ? "" : " (\(text))"); a reverse proxy in front of it must pass Upgrade headers on"
            )
        case .upgradedToOtherProtocol(let name):
            .notAControlServer(url, detail: "it switches to the protocol \"\(name)\"")
        case .notHTTP:
            .notAControlServer(url, detail: "what it says is not HTTP" + tlsHint(url))
        case .handshake(.refused(let text)): .handshakeRefused(url, reason: text)
        case .handshake(.notAuthentic), .handshake(.invalidKey):
            .handshakeRefused(url, reason: "it does not hold the key it published")
        case .handshake, .framing, .record, .earlyPayloadTooLarge:
            .connectionLost(reason: "its bytes do not follow the protocol (\(error))")
        case .closedDuringHandshake:
            .handshakeRefused(
                url, reason: "it closed the connection, which a server does whose key has changed")
        }
    }

    private static func tlsHint(_ url: ServerURL) -> String {
        url.scheme == .http ? "; if it speaks TLS, write https:// instead of http://" : ""
    }
}

/// The numbers of Linux (asm-generic/errno.h), which the standard library does not name.
private enum SystemErrorCode {
    static let connectionReset: Int32 = 104
    static let timedOut: Int32 = 110
    static let connectionRefused: Int32 = 111
}

extension ControlClientError.TLSFailure {
    fileprivate init(_ error: NIOSSLError) {
        switch error {
        case .handshakeFailed(let inner): self.init(inner)
        case .unableToValidateCertificate, .noCertificateToValidate: self = .untrustedCertificate
        case .uncleanShutdown: self = .other("the other side broke the connection off")
        default: self = .other("\(error)")
        }
    }

    fileprivate init(_ error: BoringSSLError) {
        let text = "\(error)"
        if text.contains("CERTIFICATE_VERIFY_FAILED") {
            self = .untrustedCertificate
        } else if text.contains("WRONG_VERSION_NUMBER") || text.contains("HTTP_REQUEST") {
            self = .notTLS
        } else {
            self = .other(text)
        }
    }

    fileprivate init(_ error: NIOSSLExtraError) {
        self =
            error == .failedToValidateHostname || error == .serverHostnameImpossibleToMatch
            ? .wrongName : .other("\(error)")
    }
}
