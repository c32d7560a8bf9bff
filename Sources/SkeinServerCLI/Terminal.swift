import ControlMessages
import Glibc

/// Where a command writes. Tests put one in its place that collects.
package struct Terminal: Sendable {
    package var write: @Sendable (String) -> Void
    package var writeError: @Sendable (String) -> Void

    package init(
        write: @escaping @Sendable (String) -> Void,
        writeError: @escaping @Sendable (String) -> Void
    ) {
        self.write = write
        self.writeError = writeError
    }

    @TaskLocal package static var current = Terminal(
        write: { writeAll($0, to: 1) }, writeError: { writeAll($0, to: 2) })

    /// Writes a line for whoever reads the result.
    static func say(_ line: String) { current.write(line + "\n") }

    /// Writes a line for the person, apart from the result.
    static func remark(_ line: String) { current.writeError(line + "\n") }

    static func say(_ json: JSON) { say(String(decoding: json.jsonBytes, as: UTF8.self)) }

    /// Unbuffered, so that nothing is lost or out of order.
    private static func writeAll(_ text: String, to descriptor: CInt) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 {
                guard errno == EINTR else { return }
                continue
            }
            bytes = bytes.dropFirst(count)
        }
    }
}

/// Lines of columns that are as wide as what is in them.
struct Table {
    var header: [String]
    var rows: [[String]] = []

    var text: String {
        let all = [header] + rows
        let widths = header.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        return all.map { row in
            let cells = row.enumerated().map { column, cell in
                column == row.count - 1
                    ? cell : cell + String(repeating: " ", count: widths[column] - cell.count)
            }
            return cells.joined(separator: "  ")
        }.joined(separator: "\n")
    }
}
