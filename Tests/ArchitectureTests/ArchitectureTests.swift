import Foundation
import Testing

@Suite("Architecture") struct ArchitectureTests {
    @Test("The project keeps every rule of docs/ARCHITECTURE.md", arguments: Rule.allCases)
    func keeps(_ rule: Rule) {
        let broken = Self.found.filter { $0.rule == rule }
        #expect(broken.isEmpty, "\(broken.map { "\n  \($0)" }.joined())")
    }

    @Test("Package.swift is understood: every folder of sources has a floor")
    func manifest() throws {
        let repository = try Repository.load()
        let folders = repository.paths.compactMap { path -> String? in
            let parts = path.split(separator: "/")
            return parts.count > 2 && parts[0] == "Sources" ? String(parts[1]) : nil
        }
        let undeclared = Set(folders).filter { repository.manifest[$0] == nil }
        #expect(undeclared.isEmpty)
        #expect(repository.manifest.targets.count > 40)
        #expect(repository.manifest["NodeDaemon"]?.dependencies.contains("LocalAPI") == true)
    }

    @Test("docs/ARCHITECTURE.md names every target")
    func documented() throws {
        let repository = try Repository.load()
        let map = try #require(repository.files["docs/ARCHITECTURE.md"])
        let missing = repository.manifest.targets.filter {
            $0.floor != .tests && !map.contains("`\($0.name)`")
        }
        #expect(missing.map(\.name) == [])
    }

    private static let found: [Violation] = {
        do { return violations(in: try Repository.load()) } catch {
            fatalError("the project's files cannot be read: \(error)")
        }
    }()
}
