/// The grid as a document: what people read, and the rows that later runs are held against.
package struct GridDocument {
    /// Seeds 1 to this many are run by `./test`, and held against the document.
    package static var heldSeedCount: Int { 20 }

    /// Over all seeds.
    package var rows: [GridRow]
    /// Over the first `heldSeedCount` of them.
    package var heldRows: [GridRow]

    package var scenarios: [ScenarioRow]

    package init(
        _ outcomes: [(pair: GridPair, outcomes: [GridOutcome])], scenarios: [ScenarioRow] = []
    ) {
        self.scenarios = scenarios
        rows = outcomes.map { GridRow($0.pair, $0.outcomes) }
        heldRows = outcomes.map {
            GridRow($0.pair, Array($0.outcomes.prefix(Self.heldSeedCount)))
        }
    }

    private static let heldTitle = "## All pairs, as `./test` holds them against later runs"

    /// The rows that a document holds later runs against.
    package static func heldRows(in text: String) -> [GridRow] {
        guard let title = text.firstRange(of: heldTitle) else { return [] }
        return text[title.upperBound...].split(separator: "\n").compactMap { GridRow($0) }
    }

    package static func scenarios(in text: String) -> [ScenarioRow] {
        text.split(separator: "\n").compactMap { ScenarioRow($0) }
    }

    package var text: String {
        let seedCount = rows.first?.seedCount ?? 0
        return """
            # NAT grid

            Written by `./test grid \(seedCount)`: every pair of \(NATKind.allCases.count) kinds of NAT, and \
            some that share one, in a simulated internet with the real engines for path finding and network \
            reports. Seeds 1 to \(seedCount); the same seeds give the same file.

            In each run two nodes come up, ask STUN servers where they are, hear of each other from a control \
            server 60 ms away and are quiet for five seconds. Then one of them, by turns of the seeds, sends a \
            packet every 20 ms (after two seconds every 100 ms), and the other answers. Both are 5 to 20 ms \
            and some jitter from the middle of the internet; relay and STUN servers are 2 ms from it. *First \
            packet* is the time until it arrives, a WireGuard handshake included (a stand-in with its \
            messages and sizes, without cryptography). *Direct* is the time until both sides send directly \
            and do so a second later; runs end there, or after 30 s (10 s where no direct path is possible). \
            *Packets* are disco and STUN packets of both sides together.

            ## Nodes in use when something happens

            Traffic is a packet every 20 ms where nothing else is said, 1,312 bytes long in the cuts. *To \
            flow* and the figures of cuts are the longest time without a packet on a side that gets any. \
            Goals are those of the project; a figure that misses its goal is shown, not hidden.

            \(([ScenarioRow.header] + scenarios.map(\.text)).joined(separator: "\n"))

            A run of `./test` fails when a goal that was met is not, or when a figure is more than \
            \(GridMargin.timePercent) per cent and \(GridMargin.timeMilliseconds) ms (counts: one) above this.

            ## Overview

            Per cent of the seeds that end direct; `·` where no direct path is possible even in theory.

            \(matrix)

            ## The kinds

            EIM, ADM, APDM: the mapping is endpoint-independent, address-dependent, \
            address-and-port-dependent. EIF, ADF, APDF: the same for filtering (RFC 4787).

            \(legend)

            *In theory*, from mapping and filtering alone: **direct**, each side can be told where the other \
            will be; **guess one**, one side filters by port and the other's port for it is not known before \
            it has sent; **guess both**, neither side's port is known; **none**, UDP is blocked or there is no \
            common address family. A guess is one of 64,512 ports, of 512 with port blocks, of a few with \
            sequential ports.

            \(tableOfAllSeeds)\(Self.heldTitle)

            Seeds 1 to \(Self.heldSeedCount). A run fails when fewer seeds are direct (where ports are \
            guessed: fewer by more than \(GridMargin.lostSeedsPercent) per cent of the seeds, and more than \
            one), or when the 95th percentile of a time is more than \(GridMargin.timePercent) per cent and \
            \(GridMargin.timeMilliseconds) ms above this (guessed: \(GridMargin.guessedTimePercent) per cent \
            and \(GridMargin.guessedTimeMilliseconds) ms).

            \(table(heldRows))

            """
    }

    /// Where there are more than `./test` runs.
    private var tableOfAllSeeds: String {
        guard rows != heldRows else { return "" }
        return "## All pairs, all seeds\n\n\(table(rows))\n\n"
    }

    private func table(_ rows: [GridRow]) -> String {
        ([GridRow.header] + rows.map(\.text)).joined(separator: "\n")
    }

    private var legend: String {
        let kinds = NATKind.allCases.enumerated().map { index, kind in
            "| \(Self.letter(index)) | \(kind) | \(kind.legend) |"
        }
        let shared = GridPair.Neighbourhood.allCases.map {
            "| | \($0.rawValue) | \($0.legend) |"
        }
        return (["| | kind | what it is |", "|---|---|---|"] + kinds + shared)
            .joined(separator: "\n")
    }

    private var matrix: String {
        let kinds = NATKind.allCases
        let letters = kinds.indices.map(Self.letter)
        var lines = [
            "| | | " + letters.joined(separator: " | ") + " |",
            "|" + String(repeating: "---|", count: kinds.count + 2),
        ]
        for (row, kind) in kinds.enumerated() {
            let cells = kinds.map { share(kind, $0) }
            lines.append(
                "| \(letters[row]) | \(kind) | " + cells.joined(separator: " | ") + " |")
        }
        return lines.joined(separator: "\n")
    }

    private func share(_ one: NATKind, _ other: NATKind) -> String {
        let names = [one.rawValue, other.rawValue]
        guard
            let row = rows.first(where: {
                [$0.one, $0.other] == names || [$0.other, $0.one] == names
            })
        else { return "" }
        if row.theory == Theory.none.rawValue, row.directCount == 0 { return "·" }
        return "\(row.directCount * 100 / max(row.seedCount, 1))"
    }

    private static func letter(_ index: Int) -> String {
        String(UnicodeScalar(UInt8(ascii: "A") + UInt8(index)))
    }
}
