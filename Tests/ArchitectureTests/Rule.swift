/// What `violations(in:)` looks for. The raw value is the name that a failure shows.
enum Rule: String, CaseIterable {
    case upwardArrow = "a target depends on a higher floor"
    case undeclaredTarget = "a folder of sources is not declared in Package.swift"
    case undeclaredImport = "a module is imported that Package.swift does not declare"
    case bannedImport = "floors 1 and 2 import nothing that reaches the world"
    case clockOrRandomness = "floors 1 and 2 are given time and randomness"
    case leftover = "work is left over"
    case machinePath = "a path of one machine"
    case longFile = "a file has more than 700 lines"
    case longFunction = "a function has more than 110 lines"
    case silentTry = "an error is ignored without saying why"
    case uncheckedSendable = "safety is promised without saying why"
    case detachedTask = "a task that nobody waits for"
    case endlessStream = "a stream without a bound"
    case sleepInTest = "a test sleeps without saying why"
}

extension Rule {
    static let maximumFileLines = 700
    static let maximumFunctionLines = 110

    /// Modules that come with the toolchain: imported without being declared.
    static let toolchainModules: Set = [
        "Swift", "_Concurrency", "Synchronization", "Foundation", "FoundationEssentials", "Glibc",
        "Dispatch",
        "Testing", "PackageDescription", "_Differentiation", "RegexBuilder",
    ]

    static func isBannedWhereTimeIsGiven(_ module: String, in target: String) -> Bool {
        if module == "FoundationEssentials", target == "ControlMessages" { return false }
        return module.hasPrefix("Foundation") || module.hasPrefix("NIO")
            || ["Glibc", "Dispatch", "Logging", "Synchronization", "CLinux"].contains(module)
    }
}
