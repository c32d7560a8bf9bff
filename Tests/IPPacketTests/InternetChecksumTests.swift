import IPPacket
import NetTypes
import Testing

@Suite struct InternetChecksumTests {
    /// RFC 1071 word by word.
    private func naive(_ bytes: [UInt8]) -> UInt16 {
        var sum: UInt32 = 0
        for (index, byte) in bytes.enumerated() {
            sum += index.isMultiple(of: 2) ? UInt32(byte) << 8 : UInt32(byte)
            sum = (sum & 0xFFFF) + (sum >> 16)
        }
        return ~UInt16(sum)
    }

    private func checksum(_ pieces: [UInt8]...) -> UInt16 {
        var sum = InternetChecksum()
        for piece in pieces { sum.add(piece.span.bytes) }
        return sum.value
    }

    @Test func `The example of RFC 1071 section 3`() {
        #expect(checksum([0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]) == ~0xddf2)
    }

    @Test func `The example of RFC 1624 section 4`() {
        #expect(
            InternetChecksum.updated(0xDD2F, from: 0x5555 as UInt16, to: 0x3285 as UInt16) == 0x0000
        )
    }

    @Test func `Every length and content gives what the plain algorithm gives`() {
        var random = SeededGenerator(seed: 1)
        for length in 0..<300 {
            let bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
            #expect(checksum(bytes) == naive(bytes), "length \(length)")
        }
        let ones = [UInt8](repeating: 0xFF, count: 65_535)
        #expect(checksum(ones) == naive(ones))
        #expect(checksum([]) == 0xFFFF)
    }

    @Test func `Pieces of even length add up`() {
        var random = SeededGenerator(seed: 2)
        for _ in 0..<100 {
            let bytes = (0..<201).map { _ in UInt8.random(in: 0...255, using: &random) }
            let cut = 2 * Int.random(in: 0...100, using: &random)
            #expect(checksum(Array(bytes[..<cut]), Array(bytes[cut...])) == naive(bytes))
        }
    }

    @Test func `Updating a word agrees with computing anew`() {
        var random = SeededGenerator(seed: 3)
        for _ in 0..<1000 {
            // A header's first byte is never zero, so that its sum is never all zero.
            var bytes = [0x45] + (0..<19).map { _ in UInt8.random(in: 0...255, using: &random) }
            let old = checksum(bytes)
            let offset = 4 * Int.random(in: 1...4, using: &random)
            let from = bytes.span.bytes.bigEndian(at: offset, as: UInt32.self)
            let to = UInt32.random(in: 0...(.max), using: &random)
            for index in 0..<4 { bytes[offset + index] = UInt8(to >> (24 - 8 * index) & 0xFF) }
            #expect(InternetChecksum.updated(old, from: from, to: to) == checksum(bytes))
        }
    }
}

/// SplitMix64.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }
}
