import ControlMessages
import Logging
import NIOCore
import NIOPosix
import NetTypes
import STUN
import Testing

@testable import ControlServer

@Suite(.timeLimit(.minutes(1))) struct ListenerTests {
    private let group = MultiThreadedEventLoopGroup.singleton
    private let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

    @Test("An administrator's commands reach the running server through its socket")
    func adminSocket() async throws {
        let test = try await TestServer()
        let path = "/tmp/skein-admin-\(test.server.port).sock"
        let admin = try await AdminListener(
            path: path, owner: test.server.owner, storage: test.store.storage, group: group,
            logger: logger)
        let body = "{\"name\":\"ada\"}"
        let made = try await send(
            "POST /api/v1/user HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)",
            to: path)
        #expect(made.hasPrefix("HTTP/1.1 200 "))
        let listed = try await send(
            "GET /api/v1/user HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", to: path)
        #expect(listed.contains("\"ada\""))
        let odd = try await send(
            "POST /api/v1/user HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1\r\n\r\n{",
            to: path)
        #expect(odd.hasPrefix("HTTP/1.1 400 "))
        await admin.close()
        await test.stop()
    }

    private func send(_ text: String, to path: String) async throws -> String {
        let channel = try await ClientBootstrap(group: group)
            .connect(unixDomainSocketPath: path) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                        wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(string: text))
            var answer = ""
            for try await bytes in inbound { answer += String(buffer: bytes) }
            return answer
        }
    }

    @Test("A node learns its address by STUN")
    func stun() async throws {
        let listener = try STUNListener(
            Endpoint(.v4(.loopback), port: 0), logger: Logger(label: "test"))
        // A binding request without attributes (RFC 8489 §5).
        var request: [UInt8] = [0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42]
        request += [UInt8](1...12)
        let channel = try await DatagramBootstrap(group: group)
            .bind(host: "127.0.0.1", port: 0) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<
                        AddressedEnvelope<ByteBuffer>, AddressedEnvelope<ByteBuffer>
                    >(wrappingChannelSynchronously: channel)
                }
            }
        let server = try SocketAddress(ipAddress: "127.0.0.1", port: listener.port)
        let answer = try await channel.executeThenClose { inbound, outbound in
            try await outbound.write(
                AddressedEnvelope(remoteAddress: server, data: ByteBuffer(bytes: request)))
            for try await datagram in inbound { return Array(datagram.data.readableBytesView) }
            return []
        }
        #expect(answer.prefix(2) == [1, 1])
        #expect(answer[8..<20] == request[8..<20])
        listener.close()
    }

    @Test("Forwarded addresses are believed from trusted proxies only")
    func forwarded() {
        let proxy = IPAddress("10.0.0.1")
        let resolver = ClientAddress(
            trustedProxies: [IPPrefix("10.0.0.0/8")].compactMap { $0 })
        let chain = ["203.0.113.9, 198.51.100.7", "10.0.0.2"]
        #expect(resolver.resolve(peer: proxy, forwardedFor: chain) == IPAddress("198.51.100.7"))
        let stranger = IPAddress("192.0.2.1")
        #expect(resolver.resolve(peer: stranger, forwardedFor: chain) == stranger)
        #expect(resolver.resolve(peer: proxy, forwardedFor: ["nonsense"]) == proxy)
    }
}
