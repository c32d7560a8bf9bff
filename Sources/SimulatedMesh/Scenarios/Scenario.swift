import NetTypes
import SimulatedNetwork

/// One thing that happens to nodes in use, run with many seeds; a figure for each.
package struct Scenario: Sendable {
    package let name: String
    package let unit: Unit
    /// The goal: the percentile of the figures is at most this.
    package let goal: Int
    package let percentile: Int
    package let seedCount: Int
    /// The figure of one run; nil when what was waited for did not happen.
    package let run: @Sendable (UInt64) -> Int?

    package init(
        name: String, unit: Unit, goal: Int, percentile: Int, seedCount: Int,
        run: @escaping @Sendable (UInt64) -> Int?
    ) {
        self.name = name
        self.unit = unit
        self.goal = goal
        self.percentile = percentile
        self.seedCount = seedCount
        self.run = run
    }

    package enum Unit: String, Sendable {
        case milliseconds = "ms"
        case changes
        case packets
        case perMinute = "a minute"
        case perMille = "‰"
    }

    /// All of them, in the order of the document.
    package static var all: [Scenario] {
        cuts + roaming + sleep + expiry + flapping + others + smallTables + quiet
    }
}

/// A scenario's figures over its seeds.
package struct ScenarioRow: Equatable, Sendable {
    package var name: String
    package var unit: String
    package var goalPercentile: Int
    package var goal: Int
    package var p50: Int
    package var p95: Int
    package var p99: Int
    package var seedCount: Int

    /// Stands for what did not happen.
    package static var never: Int { 999_999 }

    package init(_ scenario: Scenario, _ figures: [Int?]) {
        name = scenario.name
        unit = scenario.unit.rawValue
        goalPercentile = scenario.percentile
        goal = scenario.goal
        seedCount = figures.count
        let values = figures.map { $0 ?? Self.never }
        p50 = SimulatedMesh.percentile(50, of: values) ?? Self.never
        p95 = SimulatedMesh.percentile(95, of: values) ?? Self.never
        p99 = SimulatedMesh.percentile(99, of: values) ?? Self.never
    }

    /// The figure that the goal is about.
    package var figure: Int {
        switch goalPercentile {
        case 50: p50
        case 95: p95
        default: p99
        }
    }

    package var isMet: Bool { figure <= goal }

    // MARK: Text

    package static let header = """
        | what | goal | p50 | p95 | p99 | seeds | met |
        |---|---|---|---|---|---|---|
        """

    package var text: String {
        func show(_ value: Int) -> String { value == Self.never ? "never" : "\(value)" }
        let cells = [
            name, "p\(goalPercentile) ≤ \(goal) \(unit)", show(p50), show(p95), show(p99),
            "\(seedCount)", isMet ? "yes" : "**no**",
        ]
        return "| " + cells.joined(separator: " | ") + " |"
    }

    /// Reads what `text` writes; nil for any other line.
    package init?(_ line: Substring) {
        let cells = line.split(separator: "|").map { cell in
            String(cell.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
        }
        guard cells.count == 7 else { return nil }
        func value(_ text: String) -> Int? { text == "never" ? Self.never : Int(text) }
        let goal = cells[1].split(separator: " ", maxSplits: 3)
        guard goal.count == 4, goal[0].first == "p", let goalPercentile = Int(goal[0].dropFirst()),
            let limit = Int(goal[2]), let p50 = value(cells[2]), let p95 = value(cells[3]),
            let p99 = value(cells[4]), let seedCount = Int(cells[5])
        else { return nil }
        name = cells[0]
        self.goalPercentile = goalPercentile
        self.goal = limit
        unit = String(goal[3])
        (self.p50, self.p95, self.p99) = (p50, p95, p99)
        self.seedCount = seedCount
    }
}

/// What is worse in `now` than in `committed`: a goal that was met and is not any more, or a figure
/// that has grown by more than the margin of the grid.
package func scenarioFalls(from committed: [ScenarioRow], to now: [ScenarioRow]) -> [String] {
    committed.flatMap { old -> [String] in
        guard let new = now.first(where: { $0.name == old.name }) else {
            return ["\(old.name): not among the scenarios any more"]
        }
        let isCount = old.unit != Scenario.Unit.milliseconds.rawValue
        let limit =
            old.figure + old.figure * GridMargin.timePercent / 100
            + (isCount ? 1 : GridMargin.timeMilliseconds)
        guard new.figure > limit || (old.isMet && !new.isMet) else { return [] }
        return [
            "\(old.name): p\(old.goalPercentile) \(new.figure) \(old.unit), committed \(old.figure), "
                + "goal \(old.goal)"
        ]
    }
}

extension Mesh {
    /// Two nodes of these kinds with a direct path and a packet every 20 ms; nil when they do not
    /// get there.
    static func connected(_ seed: UInt64, _ one: NATKind, _ other: NATKind) -> Mesh? {
        let mesh = Mesh(seed: seed, [one, other])
        mesh.start()
        mesh.run(for: .seconds(2))
        mesh.exchange(0, 1, every: .milliseconds(20), for: .seconds(3))
        // So that what comes next does not always come at the same moment of the engine's clocks.
        var random = SeededRandom(seed: seed ^ 0xC07)
        for _ in 0..<random.below(150) {
            mesh.exchange(0, 1, every: .milliseconds(20), for: .milliseconds(20))
        }
        return mesh.isDirect(0, 1) && mesh.isDirect(1, 0) ? mesh : nil
    }

    /// Traffic for `duration` from now: the longest time without a packet on either of the `sides`,
    /// one that has not ended included; nil where nothing came any more.
    func longestSilence(
        on sides: [Int] = [0, 1], for duration: Nanoseconds, _ traffic: (Mesh) -> Void
    ) -> Nanoseconds? {
        let start = now
        for side in sides { nodes[side].longestSilence = [:] }
        while now - start < duration {
            traffic(self)
            run(for: .milliseconds(20))
        }
        var longest = Nanoseconds.zero
        for side in sides {
            let peer = 1 - side
            guard let last = nodes[side].lastArrival[peer], last > start else { return nil }
            longest = max(longest, nodes[side].longestSilence[peer] ?? .zero, now - last)
        }
        return longest
    }
}
