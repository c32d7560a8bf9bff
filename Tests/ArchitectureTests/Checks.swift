import Foundation

/// All violations, in the order of the paths.
func violations(in repository: Repository) -> [Violation] {
    let manifest = repository.manifest
    var found = arrowViolations(in: manifest)
    for path in repository.paths {
        let text = repository.files[path]!
        found += textViolations(path: path, text: text)
        guard path.hasSuffix(".swift"), path.hasPrefix("Sources/") || path.hasPrefix("Tests/")
        else { continue }
        guard let target = repository.target(of: path) else {
            found.append(Violation(rule: .undeclaredTarget, path: path, detail: "no such target"))
            continue
        }
        let source = SourceText(text)
        found += importViolations(path: path, source: source, target: target)
        found += codeViolations(path: path, source: source, target: target)
    }
    return found
}

private func arrowViolations(in manifest: Manifest) -> [Violation] {
    manifest.targets.flatMap { target in
        target.dependencies.compactMap { name in
            guard let dependency = manifest[name],
                dependency.floor.height > target.floor.height
            else { return nil }
            return Violation(
                rule: .upwardArrow, path: "Package.swift",
                detail: "\(target.floor) \(target.name) → \(dependency.floor) \(name)")
        }
    }
}

private func importViolations(
    path: String, source: SourceText, target: DeclaredTarget
) -> [Violation] {
    source.imports.flatMap { module, line in
        var found: [Violation] = []
        if !Rule.toolchainModules.contains(module), !target.dependencies.contains(module) {
            found.append(
                Violation(
                    rule: .undeclaredImport, path: path, line: line,
                    detail: "\(target.name) imports \(module)"))
        }
        if target.floor.isPure, Rule.isBannedWhereTimeIsGiven(module, in: target.name) {
            found.append(
                Violation(
                    rule: .bannedImport, path: path, line: line,
                    detail: "\(target.floor) \(target.name) imports \(module)"))
        }
        return found
    }
}

/// Rules for every text of the project, whatever its language.
private func textViolations(path: String, text: String) -> [Violation] {
    // Spelt in halves, so that this file keeps its own rule.
    let leftovers = ["TO" + "DO", "FIX" + "ME", "X" + "XX"]
    let machinePaths = ["/wo" + "rk/", "/ro" + "ot/"]
    var found: [Violation] = []
    let words = leftovers + machinePaths
    if words.contains(where: { text.contains($0) }) {
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false)
            .enumerated()
        {
            let parts = line.split { !$0.isLetter && !$0.isNumber && $0 != "_" }
            if let word = leftovers.first(where: { parts.contains(Substring($0)) }) {
                found.append(
                    Violation(rule: .leftover, path: path, line: number + 1, detail: word))
            }
            if let place = machinePaths.first(where: { line.contains($0) }) {
                found.append(
                    Violation(rule: .machinePath, path: path, line: number + 1, detail: place))
            }
        }
    }
    let isCode = [".swift", ".c", ".h"].contains { path.hasSuffix($0) }
    let lineCount = text.utf8.count { $0 == UInt8(ascii: "\n") }
    if isCode, lineCount > Rule.maximumFileLines {
        found.append(Violation(rule: .longFile, path: path, detail: "\(lineCount) lines"))
    }
    return found
}

/// Rules for what stands in Swift code outside of comments and strings.
private func codeViolations(
    path: String, source: SourceText, target: DeclaredTarget
) -> [Violation] {
    var found: [Violation] = []
    func add(_ rule: Rule, _ index: Int, _ detail: String) {
        found.append(Violation(rule: rule, path: path, line: index + 1, detail: detail))
    }
    /// Whether a comment stands near: on the line, at most five above or three below.
    func isExplained(_ index: Int) -> Bool {
        source.lines[max(0, index - 5)...min(index + 3, source.lines.count - 1)]
            .contains(where: \.hasComment)
    }
    let isTest = target.floor == .tests
    for (index, line) in source.lines.enumerated() {
        let code = line.code
        if target.floor.isPure, let word = clockOrRandomness(in: code) {
            add(.clockOrRandomness, index, word)
        }
        if !isTest, target.name != "FuzzTargets",
            code.range(of: #"\btry\?"#, options: .regularExpression) != nil, !isExplained(index)
        {
            add(.silentTry, index, "try? needs a comment")
        }
        if code.contains("@unchecked Sendable") || code.contains("nonisolated(unsafe)"),
            !isExplained(index)
        {
            add(.uncheckedSendable, index, "needs a comment with the proof")
        }
        if code.contains("Task.detached") { add(.detachedTask, index, "Task.detached") }
        if code.contains(".unbounded") { add(.endlessStream, index, ".unbounded") }
        // Not a sleep itself.
        if isTest, code.contains(/\b(?:Task\.sleep|Thread\.sleep|usleep|nanosleep)\b/),
            !isExplained(index)
        {
            add(.sleepInTest, index, "await a condition")
        }
    }
    if !isTest {
        for function in source.functions where function.length > Rule.maximumFunctionLines {
            add(.longFunction, function.line - 1, "\(function.name): \(function.length) lines")
        }
    }
    return found
}

/// The first word that reads a clock or draws randomness from the system.
private func clockOrRandomness(in code: String) -> String? {
    let words = [
        "ContinuousClock", "SuspendingClock", "clock_gettime", "clinux_boottime",
        "SystemRandomNumberGenerator",
    ]
    if let word = words.first(where: { code.contains($0) }) { return word }
    // `.now` of a type or a leading dot; the `now` of a virtual clock is a value's member.
    if code.contains(".now"), code.contains(/(?:^|[^\w)\]?!]|\b[A-Z]\w*)\.now\b/) { return ".now" }
    if code.contains(".random("), code.contains(/\.random\((?:(?!using:)[^)])*\)/) {
        return ".random("
    }
    return [".randomElement()", ".shuffled()", ".shuffle()"].first { code.contains($0) }
}
