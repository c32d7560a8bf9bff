import ControlMessages
import HTTPTypes
import Hummingbird
import NIOCore
import NetTypes

/// What the pages need to know about the server.
struct PageSource: Sendable {
    var serverKey: MachineKey
    var version: String
    /// What nodes are told to connect to.
    var serverURL: String
    var derpMap: @Sendable () async -> DERPMap
    /// Whether a relay may serve a node.
    var isKnown: @Sendable (NodeKey) async -> Bool
    /// Fails when the server cannot do its work.
    var checkHealth: @Sendable () async throws -> Void
}

/// Everything the server answers outside of control channels and the relay.
func makePages(_ source: PageSource, _ people: PeoplePages) -> Router<PageContext> {
    let router = Router(context: PageContext.self, options: [.autoGenerateHeadEndpoints])
    addMachinePages(router, source)
    addRelayPages(router)
    ClientAPI(owner: people.owner).add(to: router)
    addPeoplePages(router, source, people)
    return router
}

/// What a relay that runs by itself answers outside of DERP.
func makeRelayPages(version: String) -> Router<PageContext> {
    let router = Router(context: PageContext.self, options: [.autoGenerateHeadEndpoints])
    addRelayPages(router)
    addVersion(router, version)
    addRobots(router)
    router.get("/health") { _, _ in json(Array("{\"status\":\"pass\"}".utf8)) }
    router.get("**") { _, _ in
        htmlResponse(
            status: .notFound, title: "Page not found",
            body: "<p>This is a relay of a private network; it has no page at this address.</p>")
    }
    return router
}

private func addVersion(_ router: Router<PageContext>, _ version: String) {
    router.get("/version") { _, _ in
        var writer = JSONWriter()
        writer.object { $0.keep("version", version) }
        return json(writer.bytes)
    }
}

private func addRobots(_ router: Router<PageContext>) {
    router.get("/robots.txt") { _, _ in
        Response(
            status: .ok, headers: [.contentType: "text/plain; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: "User-agent: *\nDisallow: /\n")))
    }
}

private func addMachinePages(_ router: Router<PageContext>, _ source: PageSource) {
    router.get("/key") { request, _ in
        guard let text = request.uri.queryParameters["v"], Int(text) != nil else {
            throw HTTPError(.badRequest, message: "The query must name a version: /key?v=113\n")
        }
        return json(ServerKeys(publicKey: source.serverKey).jsonBytes)
    }
    router.post("/verify") { request, _ in
        let bytes = try await request.body.collect(upTo: FrontHandler.bodyLimit)
        // Whatever is wrong with the question, it names nobody.
        guard let query = try? AdmissionQuery(jsonBytes: Array(bytes.readableBytesView)) else {
            throw HTTPError(.badRequest, message: "The question names no node key.\n")
        }
        let isKnown = await source.isKnown(query.nodeKey)
        return json(Array("{\"Allow\":\(isKnown)}".utf8))
    }
    router.get("/derpmap/default") { _, _ in json(await source.derpMap().jsonBytes) }
    router.get("/health") { _, _ in
        do {
            try await source.checkHealth()
        } catch {
            return json(Array("{\"status\":\"fail\"}".utf8), status: .serviceUnavailable)
        }
        return json(Array("{\"status\":\"pass\"}".utf8))
    }
    addVersion(router, source.version)
}

private func addRelayPages(_ router: Router<PageContext>) {
    for path in ["/derp/probe", "/derp/latency-check"] as [RouterPath] {
        router.get(path) { _, _ in
            Response(status: .ok, headers: [.accessControlAllowOrigin: "*"])
        }
    }
    router.get("/generate_204") { request, _ in
        var headers: HTTPFields = [.cacheControl: "no-store"]
        if let challenge = request.headers[.challenge], isChallenge(challenge) {
            headers[.challengeResponse] = "response \(challenge)"
        }
        return Response(status: .noContent, headers: headers)
    }
    // No name is published, which the empty table says.
    router.get("/bootstrap-dns") { _, _ in json(Array("{}".utf8)) }
}

/// What a captive-portal check may have echoed.
private func isChallenge(_ text: String) -> Bool {
    text.utf8.count <= 64
        && text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"),
                UInt8(ascii: "_"), UInt8(ascii: ":"):
                true
            default: false
            }
        }
}

private func addPeoplePages(
    _ router: Router<PageContext>, _ source: PageSource, _ people: PeoplePages
) {
    router.get("/") { _, _ in
        htmlResponse(
            title: "Skein coordination server",
            body: """
                <p>This is the coordination server of a private network. To join, run:</p>
                <pre><code>skein up --login-server \(source.serverURL)</code></pre>
                <p><a href="/sign-in">Your machines and account</a></p>
                """)
    }
    people.add(to: router)
    addRobots(router)
    router.get("**") { _, _ in
        htmlResponse(
            status: .notFound, title: "Page not found",
            body: "<p>This server has no page at this address.</p>")
    }
}

// MARK: Answers

private func json(_ bytes: [UInt8], status: HTTPResponse.Status = .ok) -> Response {
    Response(
        status: status, headers: [.contentType: "application/json", .cacheControl: "no-store"],
        body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
}

func htmlResponse(
    status: HTTPResponse.Status = .ok, title: String, navigation: HTML = .empty, body: HTML,
    needsScript: Bool = false
) -> Response {
    let page = htmlPage(
        title: title, navigation: navigation, body: body, needsScript: needsScript)
    return Response(
        status: status,
        headers: [
            .contentType: "text/html; charset=utf-8", .cacheControl: "no-store",
            .contentSecurityPolicy: pageSecurityPolicy(needsScript: needsScript),
            .xContentTypeOptions: "nosniff",
            .referrerPolicy: "no-referrer", .frameOptions: "DENY",
            .openerPolicy: "same-origin", .resourcePolicy: "same-origin",
        ],
        body: ResponseBody(byteBuffer: ByteBuffer(string: page)))
}

extension HTTPField.Name {
    fileprivate static let challenge = Self("X-Tailscale-Challenge")!
    fileprivate static let challengeResponse = Self("X-Tailscale-Response")!
    static let referrerPolicy = Self("Referrer-Policy")!
    fileprivate static let frameOptions = Self("X-Frame-Options")!
    fileprivate static let openerPolicy = Self("Cross-Origin-Opener-Policy")!
    fileprivate static let resourcePolicy = Self("Cross-Origin-Resource-Policy")!
}

/// What a relay elsewhere asks before it serves a node (control protocol §7.3).
private struct AdmissionQuery: JSONReadable {
    var nodeKey: NodeKey

    init(json: JSON) throws(MessageDecodingError) {
        nodeKey = try JSONObject(json: json).read("NodePublic", or: .zero)
    }
}
