import ControlMessages
import Foundation

/// The recorded conversation in Tests/Fixtures/ControlCapture.
enum Capture {
    struct Message: CustomStringConvertible {
        var file: String
        /// `RegisterRequest`, `MapResponse`, …
        var kind: String
        var bytes: [UInt8]
        var description: String { file }
    }

    static let messages: [Message] = {
        let folder = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Fixtures/ControlCapture")
        let files = try! FileManager.default.contentsOfDirectory(atPath: folder.path)
        return files.filter { $0.hasSuffix(".json") }.sorted().map { file in
            Message(
                file: file,
                kind: String(file.dropLast(".json".count).split(separator: "-").last!),
                bytes: Array(try! Data(contentsOf: folder.appendingPathComponent(file))))
        }
    }()

    static func messages(of node: String, kind: String) -> [Message] {
        messages.filter { $0.file.hasPrefix(node + "-") && $0.kind == kind }
    }
}
