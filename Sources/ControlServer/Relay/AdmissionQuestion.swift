import AsyncHTTPClient
import ControlMessages
import Logging
import NIOCore
import NIOHTTP1
import NIOSSL
import NetTypes

/// Asks a coordination server whether a node may use the relay (data-protocol §4.3): a POST of the
/// node's key and address, answered by `{"Allow": …}` within 5 s.
final class AdmissionQuestion: Sendable {
    enum Answer: Equatable, Sendable {
        case allowed, denied
        /// Nobody answered, or not in that form.
        case none
    }

    private static let timeout = TimeAmount.seconds(5)
    private static let answerLimit = 4 << 10

    private let url: String
    private let isOpen: Bool
    private let client: HTTPClient
    private let logger: Logger

    /// `isOpen` says whether nodes are served while there is no answer. `trustFile` is a PEM file
    /// with authorities to trust besides the system's.
    init(
        _ url: String, isOpen: Bool, trustFile: String?, group: any EventLoopGroup, logger: Logger
    ) throws(ControlServerError) {
        self.url = url
        self.isOpen = isOpen
        self.logger = logger
        var tls = TLSConfiguration.makeClientConfiguration()
        if let trustFile {
            do {
                tls.additionalTrustRoots = [
                    .certificates(try NIOSSLCertificate.fromPEMFile(trustFile))
                ]
            } catch {
                throw .certificate(path: trustFile, reason: "it is no readable PEM file")
            }
        }
        client = HTTPClient(
            eventLoopGroup: group,
            configuration: HTTPClient.Configuration(
                tlsConfiguration: tls, redirectConfiguration: .disallow))
    }

    /// Whether the node is to be served.
    func admits(_ node: NodeKey, _ address: IPAddress?) async -> Bool {
        switch await ask(node, address) {
        case .allowed: return true
        case .denied: return false
        case .none:
            let consequence = isOpen ? "is served unasked" : "is turned away"
            logger.warning("relay: \(node.shortText) \(consequence): \(url) gives no answer")
            return isOpen
        }
    }

    func ask(_ node: NodeKey, _ address: IPAddress?) async -> Answer {
        var writer = JSONWriter()
        writer.object { writer in
            writer.keep("NodePublic", "\(node)")
            writer.keep("Source", address.map { "\($0)" } ?? "")
        }
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers = ["Content-Type": "application/json"]
        request.body = .bytes(ByteBuffer(bytes: writer.bytes))
        do {
            let response = try await client.execute(request, timeout: Self.timeout)
            guard response.status == .ok else { return .none }
            let body = try await response.body.collect(upTo: Self.answerLimit)
            let answer = try JSONObject(jsonBytes: Array(body.readableBytesView))
            return try answer.read("Allow", or: false) ? .allowed : .denied
        } catch {
            logger.debug("relay: \(url): \(error)")
            return .none
        }
    }

    func shutDown() async {
        // Fails only when it is shut down already.
        try? await client.shutdown()
    }
}
