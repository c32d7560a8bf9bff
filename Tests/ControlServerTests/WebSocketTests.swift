import ControlClient
import ControlTransport
import CryptoPrimitives
import DERP
import NIOCore
import NIOPosix
import NetTypes
import Noise
import Testing
import WebForms

@testable import ControlServer

@Suite(.timeLimit(.minutes(1))) struct WebSocketTests {
    /// One frame from a client, masked as RFC 6455 §5.3 has it.
    private func frame(_ opcode: UInt8, _ bytes: [UInt8], isLast: Bool = true) -> [UInt8] {
        let mask: [UInt8] = [1, 2, 3, 4]
        var frame = [opcode | (isLast ? 0x80 : 0)]
        if bytes.count < 126 {
            frame.append(0x80 | UInt8(bytes.count))
        } else {
            frame += [0x80 | 126, UInt8(bytes.count >> 8), UInt8(bytes.count & 255)]
        }
        return frame + mask + bytes.enumerated().map { $1 ^ mask[$0 % 4] }
    }

    private func request(_ headers: String) -> ByteBuffer {
        ByteBuffer(
            string: "GET /derp HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                + headers + "\r\n")
    }

    @Test func aClientInABrowserReachesTheRelay() async throws {
        let test = try await TestServer()
        let node = try TestNode("a", port: test.server.port)
        _ = try await node.client.register(
            node.registration(authKey: try await test.authKey()))
        let relay = try #require(test.relayKey)
        let client = try await RawClient(port: test.server.port)
        try await client.channel.executeThenClose { inbound, outbound in
            // The example of RFC 6455 §1.3.
            try await outbound.write(
                request(
                    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                        + "Sec-WebSocket-Protocol: derp\r\n"))
            var random = SecureRandom()
            let login = try ClientInfo().frame(from: node.nodeKey, to: relay, random: &random)
            var bytes = frame(0x2, Array(login[..<50]), isLast: false)
            bytes += frame(0x0, Array(login[50...]))
            bytes +=
                frame(0x9, [9, 9]) + frame(0x2, ClientMessage.ping(0x4142_4344_4546_4748).frame)
            try await outbound.write(ByteBuffer(bytes: bytes))
            var received: [UInt8] = []
            for try await part in inbound {
                received += Array(buffer: part)
                if contains(received, Array("ABCDEFGH".utf8)) { break }
            }
            let head = String(decoding: received.prefix(400), as: UTF8.self).lowercased()
            #expect(head.hasPrefix("http/1.1 101 "))
            #expect(head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="))
            #expect(head.contains("sec-websocket-protocol: derp"))
            // The pong of the WebSocket, and that of DERP in a binary message of its own.
            #expect(contains(received, [0x8A, 2, 9, 9]))
            #expect(contains(received, [0x82, 13, 0x13, 0, 0, 0, 8] + Array("ABCDEFGH".utf8)))
        }
        await node.client.close()
        await test.stop()
    }

    /// The payloads of unmasked binary messages behind the head of the answer, all of them complete.
    private func payloads(_ received: [UInt8]) -> [UInt8]? {
        guard
            let head = received.indices.first(where: {
                received[$0...].starts(with: Array("\r\n\r\n".utf8))
            })
        else { return nil }
        var rest = received[(head + 4)...]
        var payload: [UInt8] = []
        while rest.count >= 4, rest[rest.startIndex] == 0x82 {
            let short = Int(rest[rest.startIndex + 1])
            let start = rest.startIndex + (short < 126 ? 2 : 4)
            let count = short < 126 ? short : Int(rest[start - 2]) << 8 | Int(rest[start - 1])
            guard short < 127, rest.endIndex - start >= count else { return nil }
            payload += rest[start..<start + count]
            rest = rest[(start + count)...]
        }
        return rest.isEmpty ? payload : nil
    }

    @Test func aClientInABrowserOpensAControlChannel() async throws {
        let test = try await TestServer()
        var random = SecureRandom()
        let initiator = try ControlInitiator(
            version: 113, machineKey: PrivateKey(), serverKey: test.serverKey.publicKey,
            random: &random)
        let query = FormFields.encode([
            (ControlUpgrade.handshakeHeader, Base64.encode(initiator.initiation))
        ])
        let client = try await RawClient(port: test.server.port)
        let bytes = try await client.channel.executeThenClose { inbound, outbound in
            try await outbound.write(
                ByteBuffer(
                    string: "GET /ts2021?\(query) HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
                        + "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                        + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                        + "Sec-WebSocket-Protocol: tailscale-control-protocol\r\n\r\n"))
            var received: [UInt8] = []
            for try await part in inbound {
                received += Array(buffer: part)
                if let bytes = payloads(received), bytes.count > ControlProtocol.responseByteCount {
                    return bytes
                }
            }
            return received
        }
        var splitter = ControlFrameSplitter()
        var offset = 0
        let response = try unsafe splitter.next(bytes.span.bytes, from: &offset)
        var session = try initiator.finish(try #require(response))
        let record = try unsafe splitter.next(bytes.span.bytes, from: &offset)
        let text = try session.open(try #require(record))
        // The server's SETTINGS (RFC 9113 §6.5), and no early payload before them.
        #expect(text.count >= 9 && text[3] == 4, "\(text)")
        await test.stop()
    }

    @Test("A handshake that is none is refused", arguments: ["", "?X-Tailscale-Handshake=%25"])
    func badControlHandshake(query: String) async throws {
        let test = try await TestServer()
        let answer = try await RawClient(port: test.server.port).exchange(
            "GET /ts2021\(query) HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
                + "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                + "Sec-WebSocket-Protocol: tailscale-control-protocol\r\n\r\n")
        #expect(answer.hasPrefix("HTTP/1.1 400 "), "\(answer)")
        await test.stop()
    }

    @Test(arguments: [
        ("Sec-WebSocket-Protocol: derp\r\n", "400"),
        ("Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Version: 13\r\n", "426"),
    ])
    func otherHandshakesAreRefused(headers: String, status: String) async throws {
        let test = try await TestServer()
        let answer = try await RawClient(port: test.server.port).exchange(
            String(buffer: request(headers)))
        #expect(answer.hasPrefix("HTTP/1.1 \(status) "), "\(answer)")
        await test.stop()
    }

    private func contains(_ bytes: [UInt8], _ part: [UInt8]) -> Bool {
        bytes.indices.contains { bytes[$0...].starts(with: part) }
    }
}
