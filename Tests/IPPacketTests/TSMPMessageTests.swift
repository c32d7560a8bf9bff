import IPPacket
import NetTypes
import Testing

@Suite struct TSMPMessageTests {
    @Test(
        "Messages survive being encoded",
        arguments: [
            (TSMPMessage.ping(token: 0x0102_0304_0506_0708), "700102030405060708"),
            (.pong(token: 1, peerAPIPort: 0x1234), "6f00000000000000011234"),
            (
                .reject(
                    .tcp, reason: .accessDenied, sourcePort: 40_000, destinationPort: 22,
                    maybeBroken: false), "2106419c400016"
            ),
            (
                .reject(
                    .tcp, reason: .hostFirewall, sourcePort: 1, destinationPort: 2,
                    maybeBroken: true),
                "2106570001000201"
            ),
        ])
    func roundTrip(message: TSMPMessage, hex: String) {
        #expect(Hexadecimal.encode(message.encoded) == hex)
        let parsed = TSMPMessage(parsing: message.encoded.span.bytes)
        #expect(parsed == message)
        for length in 0..<message.encoded.count - 2 {
            let cut = Array(message.encoded[..<length])
            let parsed = TSMPMessage(parsing: cut.span.bytes)
            #expect(parsed == nil || parsed != message)
        }
    }

    @Test func `Unknown kinds and reasons are no messages`() {
        for bytes in [[UInt8(ascii: "a")], Array("!\u{6}ZABCD".utf8), []] {
            let parsed = TSMPMessage(parsing: bytes.span.bytes)
            #expect(parsed == nil)
        }
    }
}
