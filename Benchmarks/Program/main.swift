// skein-benchmarks PACKETS [NAME]: does everything that happens to a packet (or what has that name) so
// many times, and prints what that took, a line for each. `skein-benchmarks memory` prints what an idle peer
// takes, `skein-benchmarks simulation` what a node sends in a mesh of a thousand. Benchmarks/run says how it is
// measured.

// For the mathematics that parts of the standard library call.
import Glibc
import NetTypes
import SimulatedMesh

let arguments = CommandLine.arguments
if arguments.dropFirst() == ["memory"] {
    for line in memoryResults() { print(line) }
} else if arguments.dropFirst() == ["simulation"] {
    print(ScenarioRow.header)
    for scenario in Scenario.quiet {
        let seeds = 1...UInt64(scenario.seedCount)
        print(ScenarioRow(scenario, seeds.map { scenario.run($0) }).text)
    }
} else if (2...3).contains(arguments.count), let count = Int(arguments[1]), count > 0 {
    let benchmarks =
        tunnelBenchmarks() + filterBenchmarks() + pathBenchmarks() + segmentationBenchmarks()
    for benchmark in benchmarks where arguments.count == 2 || benchmark.name == arguments[2] {
        print(benchmark.run(count: count).text)
    }
} else {
    print(
        "usage: skein-benchmarks PACKETS [NAME] | skein-benchmarks memory | skein-benchmarks simulation"
    )
    exit(2)
}
