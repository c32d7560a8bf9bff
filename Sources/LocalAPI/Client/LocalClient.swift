package import ControlMessages
import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
package import NetTypes
import WebForms

/// Asks the daemon over its Unix socket: one connection per question.
package struct LocalClient: Sendable {
    package let socketPath: String

    package init(socketPath: String) { self.socketPath = socketPath }

    package func status(peers: Bool = true) async throws(LocalClientError) -> Status {
        try await read(.GET, "status?peers=\(peers)")
    }

    package func prefs() async throws(LocalClientError) -> Prefs { try await read(.GET, "prefs") }

    package func edit(_ change: PrefsChange) async throws(LocalClientError) -> Prefs {
        try await read(.PATCH, "prefs", body: change.jsonBytes)
    }

    package func start(_ options: StartOptions) async throws(LocalClientError) {
        _ = try await answer(.POST, "start", body: options.jsonBytes)
    }

    package func login() async throws(LocalClientError) {
        _ = try await answer(.POST, "login-interactive")
    }

    package func logout() async throws(LocalClientError) { _ = try await answer(.POST, "logout") }

    package func ping(
        _ address: IPAddress, kind: PingKind
    ) async throws(LocalClientError) -> PingResult {
        try await read(
            .POST, "ping?ip=\(percentEncoded(address.description))&type=\(kind.rawValue)")
    }

    /// Nil when nobody known has the address or key.
    package func whoIs(_ subject: String) async throws(LocalClientError) -> WhoIs? {
        do {
            return try await read(.GET, "whois?addr=\(percentEncoded(subject))")
        } catch LocalClientError.refused(status: 404, _) {
            return nil
        }
    }

    package func netcheck() async throws(LocalClientError) -> NetcheckReport {
        try await read(.POST, "netcheck")
    }

    package func derpMap() async throws(LocalClientError) -> DERPMap? {
        try await read(.GET, "derpmap", as: DERPMap?.self)
    }

    package func debug(action: String) async throws(LocalClientError) -> JSON {
        try await read(.POST, "debug?action=\(percentEncoded(action))")
    }

    /// Hands notices to `body` until it returns a value.
    package func watch<Value: Sendable>(
        _ mask: NotifyMask, until body: (Notify) async throws(LocalClientError) -> Value?
    ) async throws(LocalClientError) -> Value {
        let target = "watch-ipn-bus?mask=\(mask.rawValue)"
        return try await exchange(.GET, target, body: []) { (parts) throws(LocalClientError) in
            var line: [UInt8] = []
            while let bytes = try await parts.nextBytes() {
                for byte in bytes {
                    guard byte == UInt8(ascii: "\n") else {
                        line.append(byte)
                        continue
                    }
                    let notify: Notify = try decode(line)
                    line = []
                    if let value = try await body(notify) { return value }
                }
                guard line.count <= Self.maximumAnswerBytes else {
                    throw .unexpectedAnswer(detail: "an endless line")
                }
            }
            throw .disconnected
        }
    }

    /// A status of a thousand peers has about one megabyte.
    static let maximumAnswerBytes = 64 << 20

    private func read<Value: JSONReadable>(
        _ method: HTTPMethod, _ target: String, body: [UInt8] = [], as type: Value.Type = Value.self
    ) async throws(LocalClientError) -> Value {
        try decode(try await answer(method, target, body: body))
    }

    private func decode<Value: JSONReadable>(
        _ bytes: [UInt8]
    ) throws(LocalClientError) -> Value {
        do { return try Value(jsonBytes: bytes) } catch {
            throw .unexpectedAnswer(detail: error.description)
        }
    }

    private func answer(
        _ method: HTTPMethod, _ target: String, body: [UInt8] = []
    ) async throws(LocalClientError) -> [UInt8] {
        try await exchange(method, target, body: body) { (parts) throws(LocalClientError) in
            try await parts.allBytes()
        }
    }
}
