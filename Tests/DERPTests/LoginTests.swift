import CryptoPrimitives
import DERP
import NetTypes
import Testing

@Suite struct LoginTests {
    @Test func recordedLoginsOpenWithTheKeysOfRelayAndNode() throws {
        for (name, node) in [("node-a", nodeA), ("node-b", nodeB)] {
            let sent = try split(derpPart(fixture("\(name)-sent")), chunks: [4096])
            #expect(sent[0].type == .clientInfo)
            let (key, info) = try openClientInfo(sent[0])
            #expect(key == node.publicKey)
            #expect(info == ClientInfo(version: 2, canAckPings: true))

            let received = try split(derpPart(fixture("\(name)-received")), chunks: [4096])
            #expect(received[0].type == .serverKey)
            let relay = try parseServerKey(received[0].payload)
            #expect(relay == relayKey.publicKey)
            let serverInfo = try openServerInfo(received[1], node)
            #expect(serverInfo == ServerInfo(version: 2))
        }
    }

    @Test func recordedPacketsArriveAsTheyWereSent() throws {
        let sent = try split(derpPart(fixture("node-a-sent")), chunks: [4096])
        let received = try split(derpPart(fixture("node-b-received")), chunks: [4096])
        #expect(sent.map(\.type) == [.clientInfo, .notePreferred, .sendPacket])
        #expect(received.map(\.type) == [.serverKey, .serverInfo, .receivePacket])
        #expect(sent[2].payload.prefix(32) == nodeB.publicKey.bytes.array[...])
        #expect(received[2].payload.prefix(32) == nodeA.publicKey.bytes.array[...])
        #expect(sent[2].payload.dropFirst(32) == received[2].payload.dropFirst(32))
        let packet = Array(sent[2].payload.dropFirst(32))
        let isDisco = looksLikeDisco(packet.span.bytes)
        #expect(isDisco)
    }

    @Test func loginFramesRoundTrip() throws {
        var random = SecureRandom()
        let info = ClientInfo(isProber: true, meshKey: String(repeating: "ab", count: 32))
        let frame = try info.frame(from: nodeA, to: relayKey.publicKey, random: &random)
        let parsed = try split(frame, chunks: [7])
        let (key, opened) = try openClientInfo(parsed[0])
        #expect(key == nodeA.publicKey)
        #expect(opened == info)

        let limits = ServerInfo(bytesPerSecond: 1_000_000, burstByteCount: 65_568)
        let answer = try split(
            try limits.frame(from: relayKey, to: nodeA.publicKey, random: &random), chunks: [7])
        let read = try openServerInfo(answer[0], nodeA)
        #expect(read == limits)

        let key2 = try split(ServerKeyFrame.frame(relayKey.publicKey), chunks: [7])
        let parsedKey = try parseServerKey(key2[0].payload + [1, 2, 3])
        #expect(parsedKey == relayKey.publicKey)
    }

    @Test func aLoginSealedByAnotherKeyIsRefused() throws {
        var random = SecureRandom()
        var frame = try ClientInfo().frame(from: nodeA, to: relayKey.publicKey, random: &random)
        // Claims to be node B with the box of node A.
        frame.replaceSubrange(5..<37, with: nodeB.publicKey.bytes.array)
        let payload = Array(frame.dropFirst(5))
        #expect(throws: FrameError.notAuthentic(.clientInfo)) {
            try ClientInfo.open(payload.span.bytes, with: relayKey)
        }
        let short = [UInt8](repeating: 0, count: 71)
        #expect(throws: FrameError.malformed(.clientInfo)) {
            try ClientInfo.open(short.span.bytes, with: relayKey)
        }
        let zeroKey = [UInt8](repeating: 0, count: 100)
        #expect(throws: FrameError.notAuthentic(.clientInfo)) {
            try ClientInfo.open(zeroKey.span.bytes, with: relayKey)
        }
    }

    @Test func aWrongMagicIsRefused() {
        let payload = [UInt8](repeating: 0x41, count: 40)
        #expect(throws: FrameError.wrongMagic) { try ServerKeyFrame.parse(payload.span.bytes) }
        let cut = Array(ServerKeyFrame.frame(relayKey.publicKey)[5..<30])
        #expect(throws: FrameError.malformed(.serverKey)) {
            try ServerKeyFrame.parse(cut.span.bytes)
        }
    }
}
