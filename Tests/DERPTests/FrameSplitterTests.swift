import DERP
import NetTypes
import Testing

@Suite struct FrameSplitterTests {
    @Test func everyWayToCutARecordedStreamGivesTheSameFrames() throws {
        for name in ["node-a-sent", "node-a-received", "node-b-sent", "node-b-received"] {
            let stream = derpPart(fixture(name))
            let whole = try split(stream, chunks: [stream.count])
            #expect(whole.count >= 3)
            for size in 1...200 { #expect(try split(stream, chunks: [size]) == whole) }
            #expect(try split(stream, chunks: [1, 4, 300, 5, 37]) == whole)
        }
    }

    @Test func theHeaderOfASendPacketFrameIsTheReferencesOne() {
        var frame: [UInt8] = []
        frame.appendPacketFrame(.sendPacket, .zero, [UInt8](repeating: 0, count: 100))
        #expect(Hexadecimal.encode(frame.prefix(5)) == "0400000084")
        #expect(frame.count == 5 + 132)
    }

    @Test func unknownFramesAreSkippedWithoutBeingStored() throws {
        var stream: [UInt8] = []
        stream.appendFrame(FrameType(rawValue: 0x7F), [UInt8](repeating: 9, count: 1 << 20))
        stream.appendFrame(.keepAlive, [])
        for size in [13, 4096, 1 << 21] {
            #expect(try split(stream, chunks: [size]) == [Frame(.keepAlive, [])])
        }
        var splitter = FrameSplitter(limits: .server)
        let start = Array(stream[0..<100_000])
        var offset = 0
        let step = try splitter.next(in: start.span.bytes, from: &offset)
        #expect(step == .needMore)
        #expect(splitter.bufferedByteCount == 0)
    }

    @Test func aClaimedLengthBeyondTheBoundIsAnErrorBeforeItIsStored() {
        let cases: [(FrameType, Int, FrameLimits, Int)] = [
            (.sendPacket, 65_569, .server, 65_568), (.clientInfo, 262_145, .server, 262_144),
            (.notePreferred, 4_097, .server, 4_096),
            (.receivePacket, 1_048_577, .client, 1_048_576),
            (FrameType(rawValue: 0x55), 0xFFFF_FFFF, .server, 1_048_576),
        ]
        for (type, count, limits, limit) in cases {
            var header: [UInt8] = []
            header.appendFrameHeader(type, payloadByteCount: count)
            for size in [1, 5] {
                #expect(throws: FrameError.tooLong(type, byteCount: count, limit: limit)) {
                    try split(header, chunks: [size], limits: limits)
                }
            }
        }
    }

    @Test func theLargestPacketPassesAServer() throws {
        var frame: [UInt8] = []
        let packet = [UInt8](repeating: 3, count: DERPSizes.packetMax)
        frame.appendPacketFrame(.sendPacket, .zero, packet)
        let frames = try split(frame, chunks: [10_000], limits: .server)
        #expect(frames == [Frame(.sendPacket, [UInt8](repeating: 0, count: 32) + packet)])
    }
}
