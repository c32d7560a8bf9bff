package import NetTypes

/// A pair's outcomes over several seeds, as the grid's document has them: whole milliseconds.
package struct GridRow: Equatable, Sendable {
    package var one: String
    package var other: String
    package var theory: String
    package var directCount: Int
    package var seedCount: Int
    package var firstPacketP50: Int?
    package var firstPacketP95: Int?
    package var directP50: Int?
    package var directP95: Int?
    package var packetsP50: Int
    package var packetsMax: Int

    package init(_ pair: GridPair, _ outcomes: [GridOutcome]) {
        (one, other) = pair.names
        theory = pair.theory.rawValue
        seedCount = outcomes.count
        directCount = outcomes.count { $0.direct != nil }
        let first = outcomes.compactMap { $0.firstPacket?.wholeMilliseconds }
        let direct = outcomes.compactMap { $0.direct?.wholeMilliseconds }
        let packets = outcomes.map(\.packets)
        firstPacketP50 = percentile(50, of: first)
        firstPacketP95 = percentile(95, of: first)
        directP50 = percentile(50, of: direct)
        directP95 = percentile(95, of: direct)
        packetsP50 = percentile(50, of: packets) ?? 0
        packetsMax = packets.max() ?? 0
    }

    // MARK: Text

    package static let header = """
        | one | other | in theory | direct | first packet p50/p95 ms | direct p50/p95 ms | packets p50/max |
        |---|---|---|---|---|---|---|
        """

    package var text: String {
        func pair(_ one: Int?, _ other: Int?) -> String {
            guard let one, let other else { return "–" }
            return "\(one)/\(other)"
        }
        let cells = [
            one, other, theory, "\(directCount)/\(seedCount)",
            pair(firstPacketP50, firstPacketP95), pair(directP50, directP95),
            "\(packetsP50)/\(packetsMax)",
        ]
        return "| " + cells.joined(separator: " | ") + " |"
    }

    /// Reads what `text` writes; nil for any other line.
    package init?(_ line: Substring) {
        let cells = line.split(separator: "|").map { cell in
            String(cell.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
        }
        guard cells.count == 7, let direct = Self.numbers(cells[3]),
            let packets = Self.numbers(cells[6])
        else { return nil }
        (one, other, theory) = (cells[0], cells[1], cells[2])
        (directCount, seedCount) = direct
        let first = Self.numbers(cells[4])
        (firstPacketP50, firstPacketP95) = (first?.0, first?.1)
        let time = Self.numbers(cells[5])
        (directP50, directP95) = (time?.0, time?.1)
        (packetsP50, packetsMax) = packets
    }

    private static func numbers(_ text: String) -> (Int, Int)? {
        let parts = text.split(separator: "/")
        guard parts.count == 2, let one = Int(parts[0]), let other = Int(parts[1]) else {
            return nil
        }
        return (one, other)
    }
}

/// The smallest of the values that is no less than `percent` per cent of them (nearest rank).
package func percentile<Value: Comparable>(_ percent: Int, of values: [Value]) -> Value? {
    guard !values.isEmpty else { return nil }
    let rank = (values.count * percent + 99) / 100
    return values.sorted()[max(rank, 1) - 1]
}

extension Nanoseconds {
    /// Rounded to the nearest.
    package var wholeMilliseconds: Int { Int((count + 500_000) / 1_000_000) }
}
