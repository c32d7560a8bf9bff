import ControlClient
import ControlMessages
import CryptoPrimitives
import NIOCore
import NIOHTTP1
import NIOPosix
import NetTypes
import Testing

@testable import ControlServer

/// Raw bytes to a server.
struct RawClient {
    let channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>

    init(port: Int) async throws {
        channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel(wrappingChannelSynchronously: channel)
                }
            }
    }

    /// Sends text and returns all that comes until the server closes.
    func exchange(_ text: String) async throws -> String {
        try await channel.executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(string: text))
            var answer = ""
            for try await bytes in inbound { answer += String(buffer: bytes) }
            return answer
        }
    }
}

@Suite(.timeLimit(.minutes(1))) struct BadInputTests {
    private func answer(_ text: String) async throws -> String {
        let test = try await TestServer()
        let answer = try await RawClient(port: test.server.port).exchange(text)
        await test.stop()
        return answer
    }

    private func get(_ path: String, _ headers: String = "") async throws -> String {
        try await answer("GET \(path) HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\(headers)\r\n")
    }

    @Test("Bytes that are no HTTP get a short answer")
    func noHTTP() async throws {
        #expect(try await answer("\u{16}\u{3}\u{1}hello\r\n\r\n").hasPrefix("HTTP/1.1 400 "))
    }

    @Test("The key needs a version in its query")
    func key() async throws {
        #expect(try await get("/key").hasPrefix("HTTP/1.1 400 "))
        #expect(try await get("/key?v=113").contains("\"publicKey\":\"mkey:"))
    }

    @Test(
        "Pages answer as relays and machines expect",
        arguments: [
            ("/health", "HTTP/1.1 200 ", "\"pass\""),
            ("/version", "HTTP/1.1 200 ", "\"version\""),
            ("/derp/probe", "HTTP/1.1 200 ", "Access-Control-Allow-Origin: *"),
            ("/derp/latency-check", "HTTP/1.1 200 ", "Access-Control-Allow-Origin: *"),
            ("/robots.txt", "HTTP/1.1 200 ", "Disallow: /"),
            ("/derpmap/default", "HTTP/1.1 200 ", "\"Regions\""),
            ("/bootstrap-dns", "HTTP/1.1 200 ", "{}"),
            ("/register/none", "HTTP/1.1 404 ", "no longer valid"),
            ("/nothing", "HTTP/1.1 404 ", "Page not found"),
            ("/ts2021", "HTTP/1.1 400 ", "Upgrade"),
            ("/derp", "HTTP/1.1 426 ", "DERP"),
        ])
    func pages(path: String, status: String, content: String) async throws {
        let answer = try await get(path)
        #expect(answer.hasPrefix(status))
        #expect(answer.contains(content))
    }

    @Test("A captive-portal check gets its challenge back, if it is one")
    func challenge() async throws {
        let answer = try await get("/generate_204", "X-Tailscale-Challenge: ts_1.a\r\n")
        #expect(answer.hasPrefix("HTTP/1.1 204 "))
        #expect(answer.contains("X-Tailscale-Response: response ts_1.a\r\n"))
        let odd = try await get("/generate_204", "X-Tailscale-Challenge: <script>\r\n")
        #expect(!odd.contains("script"))
    }

    @Test("The page of a waiting machine names the command and escapes what the machine says")
    func registerPage() async throws {
        let test = try await TestServer()
        let node = try TestNode("<b>alpha</b>", port: test.server.port)
        let reply = try await node.client.register(node.registration())
        let path = reply.authURL.dropFirst("http://127.0.0.1".count)
        let id = path.split(separator: "/").last ?? ""
        let page = try await RawClient(port: test.server.port).exchange(
            "GET \(path) HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        #expect(page.hasPrefix("HTTP/1.1 200 "))
        #expect(page.contains("skein-server nodes approve --user USER \(id)"))
        #expect(page.contains("&lt;b&gt;alpha"))
        #expect(!page.contains("<b>"))
        #expect(page.contains("default-src 'none'"))
        await node.client.close()
        await test.stop()
    }

    @Test("A malformed handshake is refused", arguments: ["", "!!!!", "AAAA"])
    func handshake(text: String) async throws {
        let answer = try await answer(
            "POST /ts2021 HTTP/1.1\r\nHost: a\r\nUpgrade: tailscale-control-protocol\r\nConnection: upgrade\r\nX-Tailscale-Handshake: \(text)\r\nContent-Length: 0\r\n\r\n"
        )
        // Three bytes are base64, so they get as far as an error frame.
        #expect(answer.hasPrefix(text == "AAAA" ? "HTTP/1.1 101 " : "HTTP/1.1 400 "))
        if text == "AAAA" { #expect(answer.contains("wrong initiation size")) }
    }

    @Test("Headers and bodies beyond the limits end the connection")
    func limits() async throws {
        let long = String(repeating: "x", count: 20_000)
        let answer = try await answer("GET / HTTP/1.1\r\nHost: a\r\nX-Long: \(long)\r\n\r\n")
        #expect(!answer.contains("HTTP/1.1 200"))
        let body = String(repeating: "x", count: 70_000)
        let refused = try await self.answer(
            "POST /verify HTTP/1.1\r\nHost: a\r\nContent-Length: 70000\r\n\r\n\(body)")
        #expect(refused.hasPrefix("HTTP/1.1 413 "))
    }

    @Test("Requests that come together are answered in order")
    func pipelining() async throws {
        let one = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n"
        let last = "GET /version HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        let answer = try await answer(one + one + last)
        #expect(answer.components(of: "HTTP/1.1 200 ") == 3)
        #expect(answer.contains("\"version\""))
    }

    @Test("Silent connections make room for new ones, and are closed in time")
    func halfOpen() async throws {
        var limits = HalfOpenConnections.Limits()
        limits.perAddress = 20
        var timeouts = FrontHandler.Timeouts()
        timeouts.request = .seconds(2)
        let test = try await TestServer(limits: limits, timeouts: timeouts)
        var silent: [any Channel] = []
        let (closed, onClose) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(200))
        for _ in 0..<200 {
            let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(host: "127.0.0.1", port: test.server.port).get()
            channel.closeFuture.whenComplete { _ in onClose.yield() }
            silent.append(channel)
        }
        // The server has looked at all of them when it has closed all that are too many.
        var ends = closed.makeAsyncIterator()
        for _ in 0..<180 { await ends.next() }
        let node = try TestNode("alpha", port: test.server.port)
        let reply = try await node.client.register(
            node.registration(authKey: try await test.authKey()))
        #expect(reply.isMachineAuthorized)
        #expect(test.server.connectionCounts.halfOpen <= 20)
        for channel in silent { try await channel.closeFuture.get() }
        await node.client.close()
        await test.stop()
    }

    @Test("A port in use is reported in one line")
    func portInUse() async throws {
        let test = try await TestServer()
        let port = test.server.port
        do {
            let second = try await TestServer(port: port)
            await second.stop()
            Issue.record("two servers on one port")
        } catch let error as ControlServerError {
            #expect(error == .portInUse(host: "127.0.0.1", port: port))
        }
        await test.stop()
    }
}

extension String {
    func components(of part: String) -> Int { ranges(of: part).count }
}

@Suite(.timeLimit(.minutes(1))) struct WrongServerTests {
    /// A server that says `text` to whoever connects.
    private func speaking(_ text: String) async throws -> any Channel {
        try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { child in
                child.eventLoop.makeCompletedFuture {
                    try child.pipeline.syncOperations.addHandler(Sayer(text: text))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
    }

    private func error(saying text: String) async throws -> ControlClientError? {
        let server = try await speaking(text)
        let node = try TestNode("alpha", port: server.localAddress?.port ?? 0)
        defer { server.close(promise: nil) }
        do {
            _ = try await node.client.register(node.registration())
            return nil
        } catch {
            return error
        }
    }

    @Test(
        "What is no coordination server is called so",
        arguments: [
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n<html>hi</html>",
            "HTTP/1.1 301 Moved\r\nLocation: https://a/\r\nContent-Length: 0\r\n\r\n",
            "220 mail.example.org ESMTP\r\n",
        ])
    func notControl(text: String) async throws {
        let error = try await error(saying: text)
        guard case .notAControlServer? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test("A server without a Noise key is called too old")
    func tooOld() async throws {
        let zeros = String(repeating: "0", count: 64)
        let body = "{\"legacyPublicKey\":\"mkey:\(zeros)\",\"publicKey\":\"mkey:\(zeros)\"}"
        let error = try await error(
            saying: "HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
        guard case .serverTooOld? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test("A closed port and an unknown name are told apart")
    func unreachable() async throws {
        let closed = try await speaking("")
        let port = closed.localAddress?.port ?? 0
        try await closed.close()
        let node = try TestNode("alpha", port: port)
        await #expect(
            throws: ControlClientError.connectionRefused(try ServerURL("http://127.0.0.1:\(port)"))
        ) { _ = try await node.client.register(node.registration()) }
        let lost = try TestNode("alpha", port: 80, host: "no-such-host.invalid")
        await #expect(throws: ControlClientError.unknownHost("no-such-host.invalid")) {
            _ = try await lost.client.register(lost.registration())
        }
    }

    @Test("TLS towards a port without it says what to write instead")
    func notTLS() async throws {
        let test = try await TestServer()
        let node = try TestNode("alpha", port: test.server.port, scheme: "https")
        let url = try ServerURL("https://127.0.0.1:\(test.server.port)")
        await #expect(throws: ControlClientError.tls(url, .notTLS)) {
            _ = try await node.client.register(node.registration())
        }
        await test.stop()
    }
}

private final class Sayer: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    let text: String
    init(text: String) { self.text = text }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
    }
}
