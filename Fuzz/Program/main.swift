// skein-fuzz NAME [libFuzzer arguments]: searches for inputs that make a fuzz target trap.
import FuzzTargets
import Glibc

typealias Input = @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt

@_silgen_name("LLVMFuzzerRunDriver")
func runDriver(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ input: Input
) -> CInt

nonisolated(unsafe) var target = selfTestFuzzTarget

let name = CommandLine.arguments.dropFirst().first ?? ""
guard let found = (fuzzTargets + [selfTestFuzzTarget]).first(where: { $0.name == name }) else {
    print("usage: skein-fuzz NAME [libFuzzer arguments]; the names are:")
    for target in fuzzTargets { print("  \(target.name)") }
    exit(2)
}
target = found

var arguments = CommandLine.unsafeArgv + 1
var count = CommandLine.argc - 1
exit(
    runDriver(&count, &arguments) { bytes, count in
        let buffer = UnsafeRawBufferPointer(start: bytes, count: count)
        target.run(buffer.bytes)
        return 0
    })
