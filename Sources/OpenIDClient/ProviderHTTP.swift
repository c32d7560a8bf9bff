import AsyncHTTPClient
package import NIOCore
import NIOHTTP1
import NIOSSL
package import OpenIDConnect
import Synchronization

/// Asks a provider: within a time, for answers of a size, at the very address (no redirect is
/// followed, as that could take secrets elsewhere).
package final class ProviderHTTP: Sendable {
    /// The PEM file cannot be read.
    package struct TrustFileError: Error {}

    private let group: any EventLoopGroup
    private let configuration: HTTPClient.Configuration
    private let timeout: Duration
    /// Made at the first request: many a provider is configured and never asked.
    private let client = Mutex<HTTPClient?>(nil)

    /// `trustFile` is a PEM file with the authorities to trust in place of the system's. `timeout` is
    /// for a request with its whole answer.
    package init(
        trustFile: String?, group: any EventLoopGroup, timeout: Duration = .seconds(10)
    ) throws(TrustFileError) {
        var tls = TLSConfiguration.makeClientConfiguration()
        if let trustFile {
            do {
                tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(trustFile))
            } catch {
                throw TrustFileError()
            }
        }
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: tls, redirectConfiguration: .disallow)
        configuration.timeout.connect = .seconds(5)
        // Who is refused a connection is told so at once: a person waits.
        configuration.connectionPool.retryConnectionEstablishment = false
        self.configuration = configuration
        self.group = group
        self.timeout = timeout
    }

    private var opened: HTTPClient {
        client.withLock { client in
            let opened =
                client ?? HTTPClient(eventLoopGroup: group, configuration: configuration)
            client = opened
            return opened
        }
    }

    /// The reply, and what its header `Date` says.
    package func send(_ request: ProviderRequest) async -> (ProviderReply, date: String?) {
        await withTaskGroup(of: (ProviderReply, date: String?)?.self) { group in
            group.addTask { await self.perform(request) }
            group.addTask {
                // It ends by cancellation when the answer came first.
                try? await Task.sleep(for: self.timeout)
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first ?? (.none("no whole answer within \(timeout)"), nil)
        }
    }

    private func perform(_ request: ProviderRequest) async -> (ProviderReply, date: String?) {
        var http = HTTPClientRequest(url: request.url.text)
        // GitHub answers nobody without one.
        http.headers = ["User-Agent": "skein-server"]
        for header in request.headers { http.headers.add(name: header.name, value: header.value) }
        if let form = request.form {
            http.method = .POST
            http.body = .bytes(ByteBuffer(string: form))
        }
        do {
            let response = try await opened.execute(http, timeout: .seconds(60))
            let body = try await response.body.collect(upTo: ProviderDocument.byteLimit)
            return (
                .answer(
                    status: Int(response.status.code), body: Array(body.readableBytesView)),
                response.headers.first(name: "Date")
            )
        } catch is NIOTooManyBytesError {
            return (.none("the answer is longer than \(ProviderDocument.byteLimit >> 10) KiB"), nil)
        } catch {
            return (.none(Self.words(error)), nil)
        }
    }

    /// Errors of the client do not contain the request, but can be long.
    private static func words(_ error: any Error) -> String {
        Printable.line("\(error)", limit: 160)
    }

    package func shutDown() async {
        // Fails only when it is shut down already.
        try? await client.withLock { $0 }?.shutdown()
    }
}
