/// How large a code is, and how its codewords are laid out (ISO/IEC 18004 tables 1 and 9, level M).
struct Version: Equatable, Sendable {
    var number: Int

    private static let correctionPerBlock = [
        10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26,
    ]
    private static let blockCounts = [
        1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16,
    ]

    static func smallest(forByteCount count: Int) -> Version? {
        (1...correctionPerBlock.count).lazy.map { Version(number: $0) }
            .first { $0.headerBits + count * 8 <= $0.dataCount * 8 }
    }

    var size: Int { number * 4 + 17 }
    private var correction: Int { Self.correctionPerBlock[number - 1] }
    private var blocks: Int { Self.blockCounts[number - 1] }
    /// The mode and the count.
    private var headerBits: Int { number < 10 ? 12 : 20 }

    /// All codewords, from the modules that are no function pattern.
    var codewordCount: Int {
        var modules = (16 * number + 128) * number + 64
        if number >= 2 {
            let count = number / 7 + 2
            modules -= (25 * count - 10) * count - 55
            if number >= 7 { modules -= 36 }
        }
        return modules / 8
    }

    var dataCount: Int { codewordCount - correction * blocks }

    /// The centres of alignment patterns along a side.
    var alignmentPositions: [Int] {
        guard number > 1 else { return [] }
        let count = number / 7 + 2
        let step = (number * 8 + count * 3 + 5) / (count * 4 - 4) * 2
        let others = (0..<count - 1).map { size - 7 - $0 * step }
        return [6] + others.reversed()
    }

    /// The bytes with mode, length, padding and error correction, in the order of their drawing.
    func codewords(for bytes: [UInt8]) -> [UInt8] {
        interleaved(padded(bytes))
    }

    private func padded(_ bytes: [UInt8]) -> [UInt8] {
        var bits: [Bool] = []
        func append(_ value: Int, _ count: Int) {
            for index in (0..<count).reversed() { bits.append(value >> index & 1 != 0) }
        }
        append(0b0100, 4)
        append(bytes.count, headerBits - 4)
        for byte in bytes { append(Int(byte), 8) }
        append(0, min(4, dataCount * 8 - bits.count))
        while bits.count % 8 != 0 { bits.append(false) }
        var result = stride(from: 0, to: bits.count, by: 8).map { start in
            bits[start..<start + 8].reduce(UInt8(0)) { $0 << 1 | ($1 ? 1 : 0) }
        }
        var pad: UInt8 = 0xEC
        while result.count < dataCount {
            result.append(pad)
            pad ^= 0xEC ^ 0x11
        }
        return result
    }

    private func interleaved(_ data: [UInt8]) -> [UInt8] {
        // The last blocks are longer by one where the division leaves a rest.
        let short = dataCount / blocks
        let shortCount = blocks - dataCount % blocks
        let divisor = ReedSolomon.divisor(degree: correction)
        var parts: [(data: [UInt8], correction: [UInt8])] = []
        var start = 0
        for block in 0..<blocks {
            let end = start + short + (block < shortCount ? 0 : 1)
            let part = Array(data[start..<end])
            parts.append((part, ReedSolomon.remainder(part, divisor)))
            start = end
        }
        var result: [UInt8] = []
        for index in 0...short {
            for part in parts where index < part.data.count { result.append(part.data[index]) }
        }
        for index in 0..<correction {
            for part in parts { result.append(part.correction[index]) }
        }
        return result
    }
}

/// Error correction over GF(2⁸) with the polynomial 0x11D.
enum ReedSolomon {
    static func multiply(_ left: UInt8, _ right: UInt8) -> UInt8 {
        var product = 0
        for index in (0..<8).reversed() {
            product = product << 1 ^ (product >> 7) * 0x11D
            product ^= Int(right >> UInt8(index) & 1) * Int(left)
        }
        return UInt8(product)
    }

    /// The product of (x − 2ⁱ), without its leading one, highest power first.
    static func divisor(degree: Int) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: degree)
        result[degree - 1] = 1
        var root: UInt8 = 1
        for _ in 0..<degree {
            for index in 0..<degree {
                result[index] = multiply(result[index], root)
                if index + 1 < degree { result[index] ^= result[index + 1] }
            }
            root = multiply(root, 2)
        }
        return result
    }

    static func remainder(_ data: [UInt8], _ divisor: [UInt8]) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: divisor.count)
        for byte in data {
            let factor = byte ^ result.removeFirst()
            result.append(0)
            for index in divisor.indices { result[index] ^= multiply(divisor[index], factor) }
        }
        return result
    }
}
