import Glibc

/// Where a command writes. Tests put one in its place that collects.
package struct Terminal: Sendable {
    /// Whether a person looks at the output: then it may have colours and progress.
    package var isInteractive: Bool
    package var write: @Sendable (String) -> Void
    package var writeError: @Sendable (String) -> Void

    package init(
        isInteractive: Bool, write: @escaping @Sendable (String) -> Void,
        writeError: @escaping @Sendable (String) -> Void
    ) {
        self.isInteractive = isInteractive
        self.write = write
        self.writeError = writeError
    }

    @TaskLocal package static var current = Terminal.standard

    package static var standard: Terminal {
        Terminal(
            isInteractive: isatty(1) == 1 && getenv("NO_COLOR") == nil,
            write: { writeAll($0, to: 1) }, writeError: { writeAll($0, to: 2) })
    }

    /// Writes a line for whoever reads the result.
    package static func say(_ line: String) { current.write(line + "\n") }

    /// Writes a line for the person, apart from the result.
    package static func remark(_ line: String) { current.writeError(line + "\n") }

    /// Unbuffered, so that nothing is lost or out of order; a closed pipe ends the process.
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

/// Ends a command with a line for the person and a status other than zero.
struct Failure: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) { self.description = description }
}
