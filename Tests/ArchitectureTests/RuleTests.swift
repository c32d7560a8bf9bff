import Testing

/// A made-up project that keeps all rules.
private let sound = Repository(files: [
    "Package.swift": """

            c("CThing"),
            word("Words"),
            codec("Codec", ["Words"]),
            codec("ControlMessages", ["Words"]),
            engine(
                "Engine",
                [
                    "Words", "Codec",
                ]),
            driver("Driver", ["Words", "Engine", "NIOCore"]),
            service("Service", ["Driver"]),
            tests("Codec", ["Words"]),
    """,
    "Sources/Codec/Codec.swift": """
    package import Words
    /// `Date.now` and "try?" in comments are no code, nor is
    let text = "Task.detached /* ContinuousClock \\(text)"
    func draw(_ random: inout some RandomNumberGenerator) { Int.random(in: 0..<9, using: &random) }
    func read() { network.now }
    """,
    "Tests/CodecTests/CodecTests.swift": "import Codec\nimport Testing\n",
])

private func rules(brokenBy text: String, at path: String) -> [Rule] {
    var repository = sound
    repository.files[path] = (repository.files[path] ?? "") + "\n" + text
    return violations(in: repository).map(\.rule)
}

@Suite("Architecture rules, on made-up input") struct RuleTests {
    @Test("A sound project breaks no rule")
    func none() { #expect(violations(in: sound).map(\.description) == []) }

    @Test(
        "Each rule is broken by what it is about, and by nothing else",
        arguments: [
            (Rule.upwardArrow, "        codec(\"Up\", [\"Engine\"]),", "Package.swift"),
            (.undeclaredTarget, "", "Sources/Stray/Stray.swift"),
            (.undeclaredImport, "import Words\nimport Codec", "Sources/Service/A.swift"),
            (.bannedImport, "import Glibc", "Sources/Codec/A.swift"),
            (.bannedImport, "import FoundationEssentials", "Sources/Codec/A.swift"),
            (.clockOrRandomness, "let now = ContinuousClock.now", "Sources/Engine/A.swift"),
            (.clockOrRandomness, "let a: Instant = .now", "Sources/Engine/A.swift"),
            (.clockOrRandomness, "let a = \"\\(Date.now)\"", "Sources/Engine/A.swift"),
            (.clockOrRandomness, "let a = Int.random(in: 1...6)", "Sources/Engine/A.swift"),
            (.clockOrRandomness, "let a = list.shuffled()", "Sources/Engine/A.swift"),
            (.leftover, "// TO" + "DO later", "Sources/Codec/A.swift"),
            (.leftover, "# FIX" + "ME", "scripts/thing"),
            (.machinePath, "cd /ro" + "ot/skein", "README.md"),
            (.longFile, String(repeating: "\n", count: 701), "Sources/Codec/A.swift"),
            (
                .longFunction, "func long() {" + String(repeating: "\n", count: 110) + "}",
                "Sources/Codec/A.swift"
            ),
            (.silentTry, "let a = try? read()", "Sources/Driver/A.swift"),
            (.uncheckedSendable, "final class A: @unchecked Sendable {}", "Sources/Driver/A.swift"),
            (.detachedTask, "Task.detached { }", "Sources/Driver/A.swift"),
            (.endlessStream, "bufferingPolicy: .unbounded", "Sources/Driver/A.swift"),
            (.sleepInTest, "try await Task.sleep(for: .seconds(1))", "Tests/CodecTests/A.swift"),
        ])
    func fires(rule: Rule, text: String, path: String) {
        let broken = rules(brokenBy: text, at: path)
        let expected = rule == .undeclaredImport ? [rule, rule] : [rule]
        #expect(broken == expected)
    }

    @Test(
        "What is explained or allowed breaks no rule",
        arguments: [
            ("import FoundationEssentials", "Sources/ControlMessages/A.swift"),
            ("import Foundation\nimport NIOCore", "Sources/Driver/A.swift"),
            ("// Nobody is left to tell.\nlet a = try? read()", "Sources/Driver/A.swift"),
            ("let a = #\"\"\" \\(1) try? \"\"\"#", "Sources/Driver/A.swift"),
            ("/* a /* nested */ try? */", "Sources/Driver/A.swift"),
        ])
    func allows(text: String, path: String) { #expect(rules(brokenBy: text, at: path) == []) }

    @Test("Functions are measured from signature to closing brace")
    func functions() {
        let source = SourceText(
            """
            struct A {
                package init(
                    a: Int
                ) {
                    self.a = "}"
                }
                @inlinable public mutating func b() async throws(E) -> Int {
                    if true { return 1 }
                }
            }
            """)
        let found = source.functions
        #expect(found.map(\.name) == ["init", "func b"])
        #expect(found.map(\.length) == [5, 3])
    }
}
