import Compression
import NIOCore
import Testing

@testable import ControlClient

@Suite struct MapFramesTests {
    private func framed(_ message: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        for shift in [0, 8, 16, 24] {
            bytes.append(UInt8(truncatingIfNeeded: message.count >> shift))
        }
        return bytes + message
    }

    @Test("Messages come out whole wherever the stream is cut")
    func everySplit() throws {
        let messages = [Array("{\"KeepAlive\":true}".utf8), Array("{}".utf8), []]
        let stream =
            framed(Zstd.compress(messages[0])) + framed(messages[1]) + framed(messages[2])
        for cut in 0...stream.count {
            var frames = MapFrames(limit: 1000)
            var found: [[UInt8]] = []
            for part in [stream[..<cut], stream[cut...]] {
                frames.append(ByteBuffer(bytes: part))
                while let message = try frames.next() { found.append(message) }
            }
            #expect(found == messages)
            #expect(frames.isEmpty)
        }
    }

    @Test("A length beyond the limit is refused before its bytes come")
    func tooLong() {
        var frames = MapFrames(limit: 1000)
        frames.append(ByteBuffer(bytes: [0xE9, 3, 0, 0]))
        #expect(throws: MapFrames.DecodingError.frameTooLarge(1001)) { _ = try frames.next() }
    }

    @Test("A small frame that decompresses beyond the limit is refused")
    func bomb() {
        var frames = MapFrames(limit: 100_000)
        frames.append(
            ByteBuffer(bytes: framed(Zstd.compress([UInt8](repeating: 0, count: 10_000_000)))))
        #expect(throws: MapFrames.DecodingError.decompression(.tooLarge(limit: 100_000))) {
            _ = try frames.next()
        }
    }
}
