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

    @Test("write docs/nat-grid.md", .enabled(if: seedsToWrite != nil))
    func write() async throws {
        let count = max(Self.seedsToWrite ?? 0, GridDocument.heldSeedCount)
        let outcomes = await runGrid(seedCount: count)
        try GridDocument(outcomes).text.write(to: Self.file, atomically: true, encoding: .utf8)
    }
}
