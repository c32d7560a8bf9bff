// skein-benchmarks PACKETS [NAME]: does everything that happens to a packet (or what has that name) so
// many times, and prints what that took, a line for each. Benchmarks/run says how it is measured.
import NetTypes

let arguments = CommandLine.arguments
guard (2...3).contains(arguments.count), let count = Int(arguments[1]), count > 0 else {
    fatalError("usage: skein-benchmarks PACKETS [NAME]")
}
let wanted = arguments.count > 2 ? arguments[2] : nil
for benchmark in tunnelBenchmarks() + filterBenchmarks() + pathBenchmarks()
where wanted == nil || benchmark.name == wanted {
    print(benchmark.run(count: count).text)
}
if wanted == nil {
    for line in memoryResults() { print(line) }
}
