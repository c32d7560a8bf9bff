/// A QR code (ISO/IEC 18004): a text as a square of dark and light modules, with error correction of
/// level M, which survives the loss of 15 %.
///
/// Byte mode, versions 1 to 20: texts of up to 666 bytes.
package struct QRCode: Equatable, Sendable {
    /// Modules along a side, without the quiet zone of four that has to surround it.
    package private(set) var size: Int
    private var dark: [Bool]
    /// Modules with a fixed meaning, which data and masks leave alone.
    private var isFunction: [Bool]

    package enum Failure: Error, Equatable {
        case tooLong(bytes: Int)
    }

    package init(_ text: String) throws(Failure) {
        let bytes = Array(text.utf8)
        guard let version = Version.smallest(forByteCount: bytes.count) else {
            throw .tooLong(bytes: bytes.count)
        }
        size = version.size
        dark = Array(repeating: false, count: size * size)
        isFunction = dark
        drawFunctionPatterns(version)
        drawCodewords(version.codewords(for: bytes))
        // The mask whose result cameras like best.
        let masked = (0..<8).map { mask in
            var code = self
            code.apply(mask: mask)
            code.drawFormat(mask: mask)
            return code
        }
        let best = masked.enumerated().min {
            ($0.element.penalty, $0.offset) < ($1.element.penalty, $1.offset)
        }
        if let best { self = best.element }
    }

    package func isDark(column: Int, row: Int) -> Bool { dark[row * size + column] }

    // MARK: Function patterns

    private mutating func set(_ column: Int, _ row: Int, _ value: Bool) {
        dark[row * size + column] = value
        isFunction[row * size + column] = true
    }

    private mutating func drawFunctionPatterns(_ version: Version) {
        for index in 0..<size {
            set(6, index, index % 2 == 0)
            set(index, 6, index % 2 == 0)
        }
        for (column, row) in [(3, 3), (size - 4, 3), (3, size - 4)] { drawFinder(column, row) }
        let positions = version.alignmentPositions
        for (first, column) in positions.enumerated() {
            for (second, row) in positions.enumerated() {
                let last = positions.count - 1
                let isFinder =
                    first == 0 && (second == 0 || second == last) || first == last && second == 0
                if !isFinder { drawAlignment(column, row) }
            }
        }
        // Reserves the place; the mask is known later.
        drawFormat(mask: 0)
        if version.number >= 7 { drawVersion(version.number) }
    }

    private mutating func drawFinder(_ column: Int, _ row: Int) {
        for dy in -4...4 {
            for dx in -4...4 {
                let (x, y) = (column + dx, row + dy)
                guard (0..<size).contains(x), (0..<size).contains(y) else { continue }
                let distance = max(abs(dx), abs(dy))
                set(x, y, distance != 2 && distance != 4)
            }
        }
    }

    private mutating func drawAlignment(_ column: Int, _ row: Int) {
        for dy in -2...2 {
            for dx in -2...2 { set(column + dx, row + dy, max(abs(dx), abs(dy)) != 1) }
        }
    }

    /// Level and mask, twice, protected by a BCH code (15, 5).
    private mutating func drawFormat(mask: Int) {
        // Level M is 00.
        let data = mask
        var remainder = data
        for _ in 0..<10 { remainder = remainder << 1 ^ (remainder >> 9) * 0x537 }
        let bits = (data << 10 | remainder) ^ 0x5412
        func bit(_ index: Int) -> Bool { bits >> index & 1 != 0 }
        for index in 0..<6 { set(8, index, bit(index)) }
        set(8, 7, bit(6))
        set(8, 8, bit(7))
        set(7, 8, bit(8))
        for index in 9..<15 { set(14 - index, 8, bit(index)) }
        for index in 0..<8 { set(size - 1 - index, 8, bit(index)) }
        for index in 8..<15 { set(8, size - 15 + index, bit(index)) }
        set(8, size - 8, true)
    }

    /// The version, twice, protected by a BCH code (18, 6).
    private mutating func drawVersion(_ number: Int) {
        var remainder = number
        for _ in 0..<12 { remainder = remainder << 1 ^ (remainder >> 11) * 0x1F25 }
        let bits = number << 12 | remainder
        for index in 0..<18 {
            let isSet = bits >> index & 1 != 0
            set(size - 11 + index % 3, index / 3, isSet)
            set(index / 3, size - 11 + index % 3, isSet)
        }
    }

    // MARK: Data

    /// Two columns at a time from the right, upwards and downwards in turn; the sixth column is left
    /// out.
    private mutating func drawCodewords(_ codewords: [UInt8]) {
        var index = 0
        for right in stride(from: size - 1, through: 1, by: -2) {
            let right = right <= 6 ? right - 1 : right
            let isUpward = (right + 1) & 2 == 0
            for vertical in 0..<size {
                for column in [right, right - 1] {
                    let row = isUpward ? size - 1 - vertical : vertical
                    guard !isFunction[row * size + column], index < codewords.count * 8 else {
                        continue
                    }
                    dark[row * size + column] =
                        codewords[index / 8] >> UInt8(7 - index % 8) & 1 != 0
                    index += 1
                }
            }
        }
    }

    private mutating func apply(mask: Int) {
        for row in 0..<size {
            for column in 0..<size where !isFunction[row * size + column] {
                let inverts =
                    switch mask {
                    case 0: (column + row) % 2 == 0
                    case 1: row % 2 == 0
                    case 2: column % 3 == 0
                    case 3: (column + row) % 3 == 0
                    case 4: (column / 3 + row / 2) % 2 == 0
                    case 5: column * row % 2 + column * row % 3 == 0
                    case 6: (column * row % 2 + column * row % 3) % 2 == 0
                    default: ((column + row) % 2 + column * row % 3) % 2 == 0
                    }
                if inverts { dark[row * size + column].toggle() }
            }
        }
    }

    /// How hard it is to read (ISO/IEC 18004 §7.8.3): long runs, blocks, what looks like a finder, and
    /// much more of one colour.
    var penalty: Int {
        var total = 0
        for index in 0..<size {
            total += Self.linePenalty((0..<size).map { dark[index * size + $0] })
            total += Self.linePenalty((0..<size).map { dark[$0 * size + index] })
        }
        for row in 0..<size - 1 {
            for column in 0..<size - 1 {
                let first = dark[row * size + column]
                if dark[row * size + column + 1] == first,
                    dark[(row + 1) * size + column] == first,
                    dark[(row + 1) * size + column + 1] == first
                {
                    total += 3
                }
            }
        }
        let share = dark.count { $0 } * 20 - size * size * 10
        return total + (abs(share) + size * size - 1) / (size * size) * 10
    }

    private static func linePenalty(_ line: [Bool]) -> Int {
        var total = 0
        var run = 0
        for (index, value) in line.enumerated() {
            run = index > 0 && line[index - 1] == value ? run + 1 : 1
            if run == 5 { total += 3 } else if run > 5 { total += 1 }
        }
        let finder = [true, false, true, true, true, false, true]
        let light = [Bool](repeating: false, count: 4)
        for start in 0..<max(0, line.count - 10) {
            let part = Array(line[start..<start + 11])
            if part == finder + light || part == light + finder { total += 40 }
        }
        return total
    }
}
