import NetTypes
import SimulatedMesh
import Testing

@Suite("the grid's document, and what counts as a fall")
struct GridDocumentTests {
    private let easy = GridPair.apart(.portRestricted, .portRestricted)
    private let guess = GridPair.apart(.portRestricted, .symmetric)

    private func row(
        _ pair: GridPair, direct: [Int?], first: Int = 90, packets: Int = 25
    ) -> GridRow {
        GridRow(
            pair,
            direct.map {
                GridOutcome(
                    firstPacket: .milliseconds(Int64(first)),
                    direct: $0.map { .milliseconds(Int64($0)) }, packets: packets)
            })
    }

    @Test("percentiles by nearest rank")
    func percentiles() {
        #expect(percentile(50, of: [3, 1, 2]) == 2)
        #expect(percentile(95, of: Array(1...20)) == 19)
        #expect(percentile(95, of: [7]) == 7)
        #expect(percentile(50, of: [Int]()) == nil)
    }

    @Test("a row is read as it was written")
    func rows() {
        for row in [
            row(easy, direct: [100, 120, 140]), row(guess, direct: [nil, 5_000, nil]),
            row(.together(.carrier), direct: [nil]),
        ] {
            #expect(GridRow(Substring(row.text)) == row)
        }
        #expect(GridRow("| a | b |") == nil)
        #expect(GridRow(Substring(GridRow.header)) == nil)
    }

    @Test("the document contains the rows that later runs are held against")
    func document() {
        let outcomes = GridOutcome(
            firstPacket: .milliseconds(1), direct: .milliseconds(2), packets: 3)
        for count in [3, GridDocument.heldSeedCount, GridDocument.heldSeedCount + 5] {
            let document = GridDocument([
                (easy, Array(repeating: outcomes, count: count)),
                (guess, Array(repeating: outcomes, count: count)),
            ])
            #expect(GridDocument.heldRows(in: document.text) == document.heldRows)
            #expect(document.heldRows[0].seedCount == min(count, GridDocument.heldSeedCount))
        }
    }

    @Test(
        "a seed less, a later 95th percentile or a missing pair is a fall; equal or better is none")
    func falls() {
        let committed = [row(easy, direct: [100, 120, 140])]
        #expect(gridFalls(from: committed, to: committed).isEmpty)
        #expect(gridFalls(from: committed, to: [row(easy, direct: [50, 60, 70])]).isEmpty)
        // 140 ms, a quarter and 50 ms: 225 ms.
        #expect(gridFalls(from: committed, to: [row(easy, direct: [100, 120, 225])]).isEmpty)
        #expect(gridFalls(from: committed, to: [row(easy, direct: [100, 120, 226])]).count == 1)
        #expect(gridFalls(from: committed, to: [row(easy, direct: [100, 120, nil])]).count == 1)
        #expect(
            gridFalls(from: committed, to: [row(easy, direct: [100, 120, 140], first: 200)]).count
                == 1)
        #expect(gridFalls(from: committed, to: []).count == 1)
    }

    @Test("where ports are guessed a fifth of the seeds may be lost, and times may double")
    func guessed() {
        let committed = [row(guess, direct: Array(repeating: 3_000, count: 10))]
        func falls(_ direct: [Int?]) -> Int {
            gridFalls(from: committed, to: [row(guess, direct: direct)]).count
        }
        #expect(falls(Array(repeating: 7_000, count: 8) + [nil, nil]) == 0)
        #expect(falls(Array(repeating: 3_000, count: 7) + [nil, nil, nil]) == 1)
        #expect(falls(Array(repeating: 7_001, count: 10)) == 1)
    }

    @Test("a NAT that has become worse is seen as a fall, in real runs")
    func worseNAT() {
        let seeds: ClosedRange<UInt64> = 1...3
        let committed = GridRow(easy, seeds.map { easy.run(seed: $0) })
        var worse = GridRow(
            easy, seeds.map { GridPair.apart(.symmetric, .symmetricAddress).run(seed: $0) })
        worse.theory = committed.theory
        #expect(committed.directCount == 3)
        #expect(!gridFalls(from: [committed], to: [worse]).isEmpty)
    }

    @Test("the same seed has the same outcome")
    func determinism() {
        for pair in [easy, guess, .apart(.carrier, .symmetricOpen), .together(.guests)] {
            #expect(pair.run(seed: 5) == pair.run(seed: 5))
        }
    }

    @Test("what is possible in theory follows from mapping and filtering")
    func theory() {
        #expect(GridPair.apart(.portRestricted, .carrier).theory == .direct)
        #expect(GridPair.apart(.addressRestricted, .symmetric).theory == .direct)
        #expect(GridPair.apart(.portRestricted, .symmetric).theory == .guess)
        #expect(GridPair.apart(.symmetricSequential, .addressDependent).theory == .guessBoth)
        #expect(GridPair.apart(.open, .udpBlocked).theory == .none)
        #expect(GridPair.apart(.open, .ipv6Only).theory == .none)
        #expect(GridPair.apart(.dualStack, .ipv6Only).theory == .direct)
        #expect(GridPair.apart(.nat64, .symmetric).theory == .direct)
    }
}

@Suite("scenarios in the grid's document")
struct ScenarioRowTests {
    private func row(_ figures: [Int?], goal: Int = 500) -> ScenarioRow {
        ScenarioRow(
            Scenario(
                name: "cut", unit: .milliseconds, goal: goal, percentile: 99, seedCount: 3,
                run: { _ in nil }), figures)
    }

    @Test("a row is read as it was written, and what never happened is worse than anything")
    func rows() {
        for row in [row([1, 2, 3]), row([1, nil, 3])] {
            #expect(ScenarioRow(Substring(row.text)) == row)
        }
        #expect(ScenarioRow(Substring(ScenarioRow.header)) == nil)
        #expect(row([1, 2, 3]).isMet && !row([1, nil, 3]).isMet)
    }

    @Test("a goal lost or a figure beyond the margin is a fall")
    func falls() {
        let committed = [row([300, 400, 480])]
        #expect(scenarioFalls(from: committed, to: committed).isEmpty)
        #expect(scenarioFalls(from: committed, to: [row([300, 400, 499])]).isEmpty)
        #expect(scenarioFalls(from: committed, to: [row([300, 400, 501])]).count == 1)
        #expect(scenarioFalls(from: committed, to: []).count == 1)
        let missed = [row([600, 700, 800])]
        #expect(scenarioFalls(from: missed, to: [row([600, 700, 1_050])]).isEmpty)
        #expect(scenarioFalls(from: missed, to: [row([600, 700, 1_051])]).count == 1)
        #expect(scenarioFalls(from: missed, to: [row([600, nil, 700])]).count == 1)
    }
}
