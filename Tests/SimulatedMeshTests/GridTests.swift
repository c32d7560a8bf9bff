import Foundation
import SimulatedMesh
import Testing

private typealias PairOutcomes = (pair: GridPair, outcomes: [GridOutcome])

/// All pairs with seeds 1 to `seedCount`, on all processors.
private func runGrid(seedCount: Int) async -> [PairOutcomes] {
    await withTaskGroup(of: (Int, [GridOutcome]).self) { group in
        let pairs = GridPair.all
        for (index, pair) in pairs.enumerated() {
            group.addTask {
                (index, (1...UInt64(seedCount)).map { pair.run(seed: $0) })
            }
        }
        var results = [[GridOutcome]](repeating: [], count: pairs.count)
        for await (index, outcomes) in group { results[index] = outcomes }
        return zip(pairs, results).map { ($0, $1) }
    }
}

private func runScenarios() async -> [ScenarioRow] {
    let scenarios = Scenario.all
    return await withTaskGroup(of: (Int, ScenarioRow).self) { group in
        // The longest come last in the list.
        for (index, scenario) in scenarios.enumerated().reversed() {
            group.addTask {
                let figures = (1...UInt64(scenario.seedCount)).map { scenario.run($0) }
                return (index, ScenarioRow(scenario, figures))
            }
        }
        var rows = [ScenarioRow?](repeating: nil, count: scenarios.count)
        for await (index, row) in group { rows[index] = row }
        return rows.compactMap { $0 }
    }
}

@Suite("NAT grid")
struct GridTests {
    private static let seedsToWrite = ProcessInfo.processInfo.environment["NAT_GRID_SEEDS"]
        .flatMap { Int($0) }
    private static let file = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../../docs/nat-grid.md").standardized

    @Test("no pair does worse than in docs/nat-grid.md", .enabled(if: seedsToWrite == nil))
    func holds() async throws {
        let text = try String(contentsOf: Self.file, encoding: .utf8)
        let committed = GridDocument.heldRows(in: text)
        #expect(committed.count == GridPair.all.count, "./test grid writes the file anew")
        let outcomes = await runGrid(seedCount: GridDocument.heldSeedCount)
        for fall in gridFalls(from: committed, to: GridDocument(outcomes).heldRows) {
            Issue.record("\(fall)")
        }
    }

    @Test("no scenario does worse than in docs/nat-grid.md", .enabled(if: seedsToWrite == nil))
    func scenariosHold() async throws {
        let text = try String(contentsOf: Self.file, encoding: .utf8)
        let committed = GridDocument.scenarios(in: text)
        #expect(committed.count == Scenario.all.count, "./test grid writes the file anew")
        for fall in scenarioFalls(from: committed, to: await runScenarios()) {
            Issue.record("\(fall)")
        }
    }

    @Test("write docs/nat-grid.md", .enabled(if: seedsToWrite != nil))
    func write() async throws {
        let count = max(Self.seedsToWrite ?? 0, GridDocument.heldSeedCount)
        let outcomes = await runGrid(seedCount: count)
        let document = GridDocument(outcomes, scenarios: await runScenarios())
        try document.text.write(to: Self.file, atomically: true, encoding: .utf8)
    }
}
