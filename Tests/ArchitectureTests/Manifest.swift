import Foundation

/// Where a target may stand, by the function of Package.swift that declares it.
enum Floor: String, CaseIterable {
    case c, word, codec, engine, driver, service, face, program, tests

    /// Arrows go to the same height or down.
    var height: Int {
        switch self {
        case .c, .word: 0
        case .codec: 1
        case .engine: 2
        case .driver: 3
        case .service: 4
        case .face: 5
        case .program: 6
        case .tests: 7
        }
    }

    /// The floors on which time, randomness and input are arguments.
    var isPure: Bool { self == .codec || self == .engine }
}

struct DeclaredTarget {
    var floor: Floor
    /// Of the target itself: for tests with `Tests` at its end.
    var name: String
    var dependencies: [String]
}

/// Package.swift, as far as its calls `floor("Name", ["Dependency", …])` tell.
struct Manifest {
    var targets: [DeclaredTarget] = []

    init(parsing text: String) {
        let call = /\n {8}(?<floor>[a-z]+)\(\s*"(?<name>[^"]+)"(?<rest>[^)]*)\)/
        for match in text.matches(of: call) {
            guard let floor = Floor(rawValue: String(match.floor)) else { continue }
            let rest = String(match.rest)
            let strings = rest.matches(of: /"([^"]+)"/).map { String($0.1) }
            let name = String(match.name)
            targets.append(
                DeclaredTarget(
                    floor: floor, name: floor == .tests ? name + "Tests" : name,
                    dependencies: floor == .c ? [] : (floor == .tests ? [name] : []) + strings))
        }
        if text.contains(".testTarget(name: \"ArchitectureTests\"") {
            targets.append(
                DeclaredTarget(floor: .tests, name: "ArchitectureTests", dependencies: []))
        }
    }

    subscript(name: String) -> DeclaredTarget? { targets.first { $0.name == name } }
}
