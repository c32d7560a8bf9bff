import CryptoPrimitives
import DERP
import NetTypes
import Testing

@Suite struct MessageTests {
    @Test func messagesOfTheServerRoundTrip() throws {
        let messages: [ServerMessage] = [
            .keepAlive, .peerGone(nodeA.publicKey, .disconnected),
            .peerGone(nodeB.publicKey, .notHere),
            .peerPresent(
                PeerPresent(
                    peer: nodeA.publicKey, endpoint: Endpoint("192.0.2.1:41641"), flags: 1)),
            .ping(0x0102_0304_0506_0708), .pong(.max), .health("too many"), .health(""),
            .restarting(reconnectIn: .milliseconds(1500), tryFor: .seconds(10)),
        ]
        let stream = messages.flatMap(\.frame)
        let parsed = try split(stream, chunks: [11]).map {
            let payload = $0.payload
            return try ServerMessage($0.type, payload.span.bytes)
        }
        #expect(parsed == messages)
    }

    @Test func messagesOfTheClientRoundTrip() throws {
        let messages: [ClientMessage] = [
            .notePreferred(true), .notePreferred(false), .ping(7), .pong(8), .watchConnections,
            .closePeer(nodeB.publicKey),
        ]
        let parsed = try split(messages.flatMap(\.frame), chunks: [3]).map {
            let payload = $0.payload
            return try ClientMessage($0.type, payload.span.bytes)
        }
        #expect(parsed == messages)
    }

    @Test func shorterFormsOfOldServersAreRead() throws {
        let key = nodeA.publicKey.bytes.array
        let gone = try ServerMessage(.peerGone, key.span.bytes)
        #expect(gone == .peerGone(nodeA.publicKey, .disconnected))
        let present = try ServerMessage(.peerPresent, key.span.bytes)
        #expect(
            present == .peerPresent(PeerPresent(peer: nodeA.publicKey, endpoint: nil, flags: 0)))
    }

    @Test func truncatedPayloadsAreErrors() {
        let bytes = [UInt8](repeating: 0, count: 7)
        for type in [FrameType.peerGone, .peerPresent, .ping, .pong, .restarting] {
            #expect(throws: FrameError.malformed(type)) {
                try ServerMessage(type, bytes.span.bytes)
            }
        }
        let none: [UInt8] = []
        #expect(throws: FrameError.malformed(.notePreferred)) {
            try ClientMessage(.notePreferred, none.span.bytes)
        }
    }

    @Test func otherTypesAreNamed() throws {
        let bytes: [UInt8] = [1]
        let message = try ClientMessage(.health, bytes.span.bytes)
        #expect(message == .other(.health))
    }
}
