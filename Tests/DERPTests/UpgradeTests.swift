import CryptoPrimitives
import DERP
import NetTypes
import Testing

@Suite struct UpgradeTests {
    private func parse(
        _ text: [UInt8], chunk size: Int
    ) throws(UpgradeResponseParser.Failure) -> Int? {
        var parser = UpgradeResponseParser()
        var start = 0
        while start < text.count {
            let chunk = Array(text[start..<min(text.count, start + size)])
            var offset = 0
            if try parser.read(chunk.span.bytes, from: &offset) { return start + offset }
            start += chunk.count
        }
        return nil
    }

    @Test func aRecordedAnswerEndsWhereDERPBegins() throws {
        let stream = fixture("node-a-received")
        let start = stream.count - derpPart(stream).count
        for size in [1, 2, 100, stream.count] {
            #expect(try parse(stream, chunk: size) == start)
        }
    }

    @Test func ourOwnAnswerIsAccepted() throws {
        var text = "HTTP/1.1 101 Switching Protocols\r\n"
        for (name, value) in upgradeResponseHeaders(key: relayKey.publicKey) {
            text += "\(name): \(value)\r\n"
        }
        text += "\r\n"
        #expect(try parse(Array(text.utf8), chunk: 5) == text.utf8.count)
        #expect(text.contains("Derp-Public-Key: 45364298f6f4f64c5c4bf2a9a0e5f82a"))
    }

    @Test func anAnswerThatIsNoUpgradeSaysWhatItWas() {
        let cases: [(String, UpgradeResponseParser.Failure)] = [
            (
                "HTTP/1.1 407 Proxy Authentication Required\r\nServer: squid\r\n\r\n",
                .refused(status: 407, reason: "Proxy Authentication Required")
            ),
            (
                "HTTP/1.0 302 Found\u{1B}[1m\nLocation: /portal\n\n",
                .refused(status: 302, reason: "Found[1m")
            ),
            (
                "HTTP/1.1 101 Switching\r\nupgrade: websocket\r\n\r\n", .wrongProtocol("websocket")
            ),
            ("SSH-2.0-OpenSSH_9.2\r\n", .notHTTP), ("HTTP/1.1\r\n\r\n", .notHTTP),
            (
                "HTTP/1.1 101 " + String(repeating: "x", count: 20_000),
                .headTooLong(limit: UpgradeResponseParser.headByteCountMax)
            ),
        ]
        for (text, failure) in cases {
            #expect(throws: failure) { try parse(Array(text.utf8), chunk: 1000) }
        }
    }

    @Test func anUnfinishedAnswerIsNotAccepted() throws {
        #expect(try parse(Array("HTTP/1.1 101 Switching Protocols\r\nUpgr".utf8), chunk: 9) == nil)
    }

    @Test func theRequestIsWhatOfficialClientsSend() {
        let text = String(decoding: UpgradeRequest(host: "r.example").bytes, as: UTF8.self)
        #expect(text.hasPrefix("GET /derp HTTP/1.1\r\nHost: r.example\r\n"))
        #expect(text.contains("\r\nUpgrade: DERP\r\n"))
        #expect(text.hasSuffix("\r\n\r\n"))
    }
}
