/// One parser of network bytes under test: it may reject the bytes or do something with them, but
/// may not trap, hang or grow.
package struct FuzzTarget: Sendable {
    /// Also the name of its seed folder, `Fuzz/corpus/<name>`.
    package let name: String
    package let run: @Sendable (RawSpan) -> Void

    package init(name: String, run: @escaping @Sendable (RawSpan) -> Void) {
        self.name = name
        self.run = run
    }
}

/// Every fuzz target. Each owner of parsers adds lines to a file of this folder, and one or more
/// seed inputs (raw bytes, a few hundred each) to `Fuzz/corpus/<name>/`. A line looks like
///
///     FuzzTarget(name: "stun") { _ = try? STUNMessage(parsing: $0) },
///
/// Code behind an authentication tag is reached by sealing the bytes in the target itself.
/// `FuzzTargetsTests` replays the seeds and seeded mutations of them; `Fuzz/run NAME SECONDS`
/// searches with libFuzzer.
package let fuzzTargets: [FuzzTarget] =
    wireGuardFuzzTargets + pathFuzzTargets + relayFuzzTargets + coordinationFuzzTargets
    + controlFuzzTargets + networkFuzzTargets + portMappingFuzzTargets + segmentationFuzzTargets
    + certificateFuzzTargets + passkeyFuzzTargets + samlFuzzTargets
    + providerFuzzTargets
