import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import NIOHTTP1
import NetTypes

/// Carries plain requests to the router and its answers back.
struct PageResponder: Sendable {
    /// The longest page there is, with room.
    private static let bodyLimit = 4 << 20

    private let responder: RouterResponder<PageContext>
    private let logger: Logger

    init(_ router: Router<PageContext>, logger: Logger) {
        responder = router.buildResponder()
        self.logger = logger
    }

    func respond(
        to head: HTTPRequestHead, _ body: ByteBuffer, from address: IPAddress?
    ) async -> PlainResponse {
        guard let method = HTTPRequest.Method(head.method.rawValue), head.uri.hasPrefix("/") else {
            return .text(.badRequest, "This server does not understand the request.\n")
        }
        var fields = HTTPFields()
        for (name, value) in head.headers {
            if let name = HTTPField.Name(name) {
                fields.append(HTTPField(name: name, value: value))
            }
        }
        let request = Request(
            head: HTTPRequest(
                method: method, scheme: nil, authority: head.headers.first(name: "host"),
                path: head.uri, headerFields: fields),
            body: RequestBody(buffer: body))
        let context = PageContext(
            source: PageRequestSource(logger: logger, remoteAddress: address))
        do {
            return try await plain(responder.respond(to: request, context: context))
        } catch let error as HTTPError {
            return .text(HTTPResponseStatus(statusCode: error.status.code), error.body ?? "")
        } catch {
            logger.error("page failed", metadata: ["path": "\(head.uri)", "error": "\(error)"])
            return .text(.internalServerError, "Something went wrong on the server.\n")
        }
    }

    private func plain(_ response: Response) async throws -> PlainResponse {
        var headers = HTTPHeaders()
        for field in response.headers { headers.add(name: field.name.rawName, value: field.value) }
        let collected = CollectedBody(limit: Self.bodyLimit)
        try await response.body.write(CollectingWriter(collected: collected))
        return PlainResponse(
            status: HTTPResponseStatus(statusCode: response.status.code), headers: headers,
            body: collected.bytes)
    }
}

/// The body of one answer; one task writes it.
private final class CollectedBody {
    struct TooLarge: Error {}

    private let limit: Int
    private(set) var bytes = ByteBuffer()

    init(limit: Int) { self.limit = limit }

    func append(_ part: ByteBuffer) throws {
        guard bytes.readableBytes + part.readableBytes <= limit else { throw TooLarge() }
        bytes.writeImmutableBuffer(part)
    }
}

private struct CollectingWriter: ResponseBodyWriter {
    let collected: CollectedBody
    mutating func write(_ buffer: ByteBuffer) async throws { try collected.append(buffer) }
    consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
}

extension PlainResponse {
    static func text(_ status: HTTPResponseStatus, _ text: String) -> PlainResponse {
        PlainResponse(
            status: status, headers: ["Content-Type": "text/plain; charset=utf-8"],
            body: ByteBuffer(string: text))
    }
}
