import Foundation
import LinuxIO
import Testing

@Suite("atomic file")
struct AtomicFileTests {
    private func inTemporaryFolder(_ body: (String) throws -> Void) throws {
        let folder = NSTemporaryDirectory() + "skein-atomic-file-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: false)
        defer { #expect(throws: Never.self) { try FileManager.default.removeItem(atPath: folder) } }
        try body(folder)
    }

    @Test func replacesTheContentAndKeepsItPrivate() throws {
        try inTemporaryFolder { folder in
            let path = folder + "/state"
            #expect(try AtomicFile.read(path) == nil)
            try AtomicFile.write(Array("one".utf8), to: path)
            try AtomicFile.write(Array("two".utf8), to: path)
            #expect(try AtomicFile.read(path) == Array("two".utf8))
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            #expect(attributes[.posixPermissions] as? Int == 0o600)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["state"])
        }
    }

    @Test func refusesAMissingFolderAndAnOversizedFile() throws {
        try inTemporaryFolder { folder in
            #expect(throws: SystemError.self) {
                try AtomicFile.write([1], to: folder + "/none/state")
            }
            try AtomicFile.write([1, 2, 3], to: folder + "/state")
            #expect(throws: SystemError.self) { try AtomicFile.read(folder + "/state", limit: 2) }
        }
    }
}
