// skein-benchmarks PACKETS [NAME]: does everything that happens to a packet (or what has that name) so
// many times, and prints what that took, a line for each. `skein-benchmarks memory` prints what an idle peer
// takes. Benchmarks/run says how it is measured.

// For the mathematics that parts of the standard library call.
import Glibc
import NetTypes

let arguments = CommandLine.arguments
if arguments.dropFirst() == ["memory"] {
    for line in memoryResults() { print(line) }
} else if (2...3).contains(arguments.count), let count = Int(arguments[1]), count > 0 {
    let benchmarks =
        tunnelBenchmarks() + filterBenchmarks() + pathBenchmarks() + segmentationBenchmarks()
    for benchmark in benchmarks where arguments.count == 2 || benchmark.name == arguments[2] {
        print(benchmark.run(count: count).text)
    }
} else {
    print("usage: skein-benchmarks PACKETS [NAME] | skein-benchmarks memory")
    exit(2)
}
