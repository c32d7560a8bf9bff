import Foundation
import FuzzTargets
import Testing

private let corpus = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Fuzz/corpus")

/// The seeds of a target, in the order of their names.
private func seeds(of target: FuzzTarget) -> [[UInt8]] {
    let folder = corpus.appending(path: target.name)
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return names.sorted().compactMap { name in
        (try? Data(contentsOf: folder.appending(path: name))).map { [UInt8]($0) }
    }
}

/// SplitMix64: the same mutations in every run.
private struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// One to four small changes: a flipped bit, an interesting byte, a cut, a repeated or removed run.
private func mutated(_ seed: [UInt8], using random: inout SeededGenerator) -> [UInt8] {
    var bytes = seed
    for _ in 0..<Int.random(in: 1...4, using: &random) {
        guard !bytes.isEmpty else { return [UInt8.random(in: 0...255, using: &random)] }
        let index = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<6, using: &random) {
        case 0: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 1: bytes[index] = [0, 1, 0x7F, 0x80, 0xFE, 0xFF].randomElement(using: &random)!
        case 2: bytes[index] = UInt8.random(in: 0...255, using: &random)
        case 3: bytes.removeLast(bytes.count - index)
        case 4:
            let end = min(bytes.count, index + Int.random(in: 1...16, using: &random))
            bytes.insert(contentsOf: bytes[index..<end], at: index)
        default:
            let end = min(bytes.count, index + Int.random(in: 1...16, using: &random))
            bytes.removeSubrange(index..<end)
        }
    }
    return bytes
}

@Suite("Fuzz targets") struct ReplayTests {
    @Test("Every target survives its seeds, all their prefixes, and mutations of them")
    func replay() {
        let mutations = 300
        let prefixes = 300
        for target in fuzzTargets {
            let seeds = seeds(of: target)
            #expect(!seeds.isEmpty, "Fuzz/corpus/\(target.name) has no seed")
            target.run([UInt8]().span.bytes)
            var random = SeededGenerator(state: 1)
            for seed in seeds {
                target.run(seed.span.bytes)
                for count in stride(
                    from: 0, to: seed.count, by: max(1, seed.count / prefixes))
                {
                    let prefix = Array(seed[..<count])
                    target.run(prefix.span.bytes)
                }
                for _ in 0..<mutations {
                    let mutation = mutated(seed, using: &random)
                    target.run(mutation.span.bytes)
                }
            }
        }
    }

    @Test("Names are unique, and every folder of seeds belongs to a target")
    func names() throws {
        let names = fuzzTargets.map(\.name)
        #expect(Set(names).count == names.count)
        let folders = try FileManager.default.contentsOfDirectory(atPath: corpus.path)
        let unknown = folders.filter { !(names + [selfTestFuzzTarget.name]).contains($0) }
        #expect(unknown.isEmpty)
    }

    @Test("An input that breaks a target ends the process")
    func planted() async {
        await #expect(processExitsWith: .failure) {
            selfTestFuzzTarget.run(Array("planted!~".utf8).span.bytes)
        }
    }
}
