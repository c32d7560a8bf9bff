import NetTypes

/// Names the rule behind a few outside ports that were made one after the other.
enum PortPattern {
    /// Fewer say nothing.
    private static var samplesMin: Int { 4 }
    /// Steps up to this are counted as one after the other: others' mappings come between.
    private static var stepMax: Int { 16 }
    /// Random ports of the whole range lie as close as this once in a hundred thousand times.
    private static var blockSpanMax: Int { 4_096 }

    static func allocation(
        of ports: [(local: UInt16, outside: UInt16)]
    ) -> NATBehavior.PortAllocation? {
        guard ports.count >= samplesMin else { return nil }
        // One or two may have been taken by somebody else.
        let preserved = ports.count { $0.local == $0.outside }
        if 3 * preserved >= 2 * ports.count { return .preserving }
        let outside = ports.map { Int($0.outside) }
        if let step = step(of: outside) { return .sequential(step: step) }
        let low = outside.min() ?? 0
        let high = outside.max() ?? 0
        guard high - low <= blockSpanMax else { return .random }
        return .contiguousBlock(block(low, high, count: ports.count))
    }

    /// The greatest step that all follow, either way; one may be a leap, where the range wraps around.
    private static func step(of ports: [Int]) -> Int? {
        let differences = zip(ports.dropFirst(), ports).map { $0 - $1 }
        for sign in [1, -1] {
            let steps = differences.map { $0 * sign }.filter { (1...stepMax).contains($0) }
            let leaps = differences.count { abs($0) > blockSpanMax }
            guard steps.count + min(leaps, 1) == differences.count else { continue }
            return sign * steps.reduce(0, greatestCommonDivisor)
        }
        return nil
    }

    /// Where the ends of the block are to be expected, given its outermost samples.
    private static func block(_ low: Int, _ high: Int, count: Int) -> ClosedRange<UInt16> {
        let margin = (high - low) / (count - 1) + 1
        return UInt16(max(1, low - margin))...UInt16(min(65_535, high + margin))
    }

    private static func greatestCommonDivisor(_ one: Int, _ other: Int) -> Int {
        other == 0 ? one : greatestCommonDivisor(other, one % other)
    }
}
