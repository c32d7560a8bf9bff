import Foundation

/// The texts of the project by their paths from its root.
struct Repository {
    var files: [String: String]

    var manifest: Manifest { Manifest(parsing: files["Package.swift"] ?? "") }
    /// In the order of their paths.
    var paths: [String] { files.keys.sorted() }

    /// Reads what lies around this file. Folders of builds and of binary samples are left out, and
    /// so is what is not UTF-8.
    static func load() throws -> Repository {
        let root = URL(filePath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        var files: [String: String] = [:]
        var folders = [""]
        while let folder = folders.popLast() {
            let names = try FileManager.default.contentsOfDirectory(
                atPath: root.appending(path: folder).path)
            for name in names {
                let path = folder.isEmpty ? name : folder + "/" + name
                var isFolder: ObjCBool = false
                _ = FileManager.default.fileExists(
                    atPath: root.appending(path: path).path, isDirectory: &isFolder)
                if isFolder.boolValue {
                    let isLeftOut =
                        [".git", ".lab", "__pycache__"].contains(name) || name.hasPrefix(".build")
                        || path == "Fuzz/corpus" || path == "Tests/Fixtures"
                    if !isLeftOut { folders.append(path) }
                } else if path != "Package.resolved",
                    let text = try? String(
                        contentsOf: root.appending(path: path), encoding: .utf8)
                {
                    files[path] = text
                }
            }
        }
        return Repository(files: files)
    }

    /// The Swift files of a target and the target itself.
    func target(of path: String) -> DeclaredTarget? {
        let parts = path.split(separator: "/")
        guard path.hasSuffix(".swift"), parts.count > 2,
            parts[0] == "Sources" || parts[0] == "Tests"
        else { return nil }
        return manifest[String(parts[1])]
    }
}

/// A place where the code does not keep a rule.
struct Violation: CustomStringConvertible {
    var rule: Rule
    var path: String
    var line: Int?
    var detail: String

    var description: String {
        let place = line.map { "\(path):\($0)" } ?? path
        return "\(place): \(rule.rawValue): \(detail)"
    }
}
