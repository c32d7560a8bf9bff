import Compression
import Testing

@Suite("zstd")
struct ZstdTests {
    @Test(arguments: [0, 1, 1000, 1_000_000])
    func roundTrips(count: Int) throws {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 / 7) }
        #expect(try Zstd.decompress(Zstd.compress(bytes), limit: count) == bytes)
    }

    @Test func refusesMoreThanTheLimit() {
        let bomb = Zstd.compress([UInt8](repeating: 0, count: 10_000_000))
        #expect(throws: Zstd.DecompressionError.tooLarge(limit: 1000)) {
            try Zstd.decompress(bomb, limit: 1000)
        }
    }

    @Test func refusesDamage() {
        let frame = Zstd.compress(Array("some text that is long enough".utf8))
        #expect(throws: Zstd.DecompressionError.malformed) {
            try Zstd.decompress(frame.dropLast(), limit: 100)
        }
        #expect(throws: Zstd.DecompressionError.malformed) {
            try Zstd.decompress(frame + [0], limit: 100)
        }
        #expect(throws: Zstd.DecompressionError.malformed) { try Zstd.decompress([], limit: 100) }
    }
}
