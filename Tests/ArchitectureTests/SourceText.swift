/// Swift source, line by line, with the insides of comments and string literals taken out, so that
/// rules look at code only. What stands in an interpolation is code.
struct SourceText {
    struct Line {
        var code: String
        var hasComment: Bool
    }
    private(set) var lines: [Line] = []

    private enum Mode {
        /// Code, inside of so many parentheses of an interpolation; nil at the top.
        case code(parentheses: Int?)
        case string(hashes: Int, isMultiline: Bool)
        case lineComment
        case blockComment(depth: Int)
    }

    init(_ text: String) {
        let bytes = Array(text.utf8)
        var modes: [Mode] = [.code(parentheses: nil)]
        var code: [UInt8] = []
        var hasComment = false
        var index = 0

        func starts(_ word: String, at index: Int) -> Bool {
            let word = word.utf8
            return index + word.count <= bytes.count
                && zip(word, bytes[index...]).allSatisfy { $0 == $1 }
        }
        func hashes(at index: Int) -> Int {
            bytes[index...].prefix { $0 == UInt8(ascii: "#") }.count
        }
        func finishLine() {
            lines.append(Line(code: String(decoding: code, as: UTF8.self), hasComment: hasComment))
            code = []
            hasComment = false
        }

        while index < bytes.count {
            let byte = bytes[index]
            if byte == UInt8(ascii: "\n") {
                finishLine()
                if case .lineComment = modes.last { modes.removeLast() }
                index += 1
                continue
            }
            switch modes.last! {
            case .lineComment:
                hasComment = true
                index += 1
            case .blockComment(let depth):
                hasComment = true
                if starts("/*", at: index) {
                    modes[modes.count - 1] = .blockComment(depth: depth + 1)
                    index += 2
                } else if starts("*/", at: index) {
                    modes.removeLast()
                    if depth > 1 { modes.append(.blockComment(depth: depth - 1)) }
                    index += 2
                } else {
                    index += 1
                }
            case .string(let count, let isMultiline):
                let delimiter =
                    (isMultiline ? "\"\"\"" : "\"") + String(repeating: "#", count: count)
                let escape = "\\" + String(repeating: "#", count: count)
                if starts(escape + "(", at: index) {
                    modes.append(.code(parentheses: 1))
                    code += Array("(".utf8)
                    index += escape.utf8.count + 1
                } else if starts(escape, at: index) {
                    index += escape.utf8.count
                    if index < bytes.count, bytes[index] != UInt8(ascii: "\n") { index += 1 }
                } else if starts(delimiter, at: index) {
                    modes.removeLast()
                    code.append(UInt8(ascii: "\""))
                    index += delimiter.utf8.count
                } else {
                    index += 1
                }
            case .code(let parentheses):
                if starts("//", at: index) {
                    modes.append(.lineComment)
                    hasComment = true
                    index += 2
                    continue
                }
                if starts("/*", at: index) {
                    modes.append(.blockComment(depth: 1))
                    hasComment = true
                    index += 2
                    continue
                }
                let count = hashes(at: index)
                if starts("\"", at: index + count) {
                    let isMultiline = starts("\"\"\"", at: index + count)
                    modes.append(.string(hashes: count, isMultiline: isMultiline))
                    code.append(UInt8(ascii: "\""))
                    index += count + (isMultiline ? 3 : 1)
                    continue
                }
                if let parentheses {
                    let depth =
                        parentheses + (byte == UInt8(ascii: "(") ? 1 : 0)
                        - (byte == UInt8(ascii: ")") ? 1 : 0)
                    modes.removeLast()
                    if depth > 0 { modes.append(.code(parentheses: depth)) }
                }
                code.append(byte)
                index += 1
            }
        }
        finishLine()
    }

    /// The modules that the file imports, with the number of the line.
    var imports: [(module: String, line: Int)] {
        let statement =
            /^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:(?:public|package|internal|fileprivate|private)\s+)?import\s+(?:(?:struct|class|enum|protocol|func|var|typealias)\s+)?(\w+)/
        return lines.enumerated().compactMap { number, line in
            guard line.code.contains("import "), let match = line.code.firstMatch(of: statement)
            else { return nil }
            return (String(match.1), number + 1)
        }
    }

    /// The functions of the file, with the number of lines from signature to closing brace.
    var functions: [(name: String, line: Int, length: Int)] {
        let declaration =
            /^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:[a-z]+(?:\([a-z]+\))?\s+)*(?<name>func\s+[^\s(<]+|init|deinit|subscript)\b/
        var result: [(name: String, line: Int, length: Int)] = []
        var open: [(name: String, line: Int, depth: Int)] = []
        var pending: (name: String, line: Int)?
        var depth = 0
        for (number, line) in lines.enumerated() {
            if line.code.contains("func ") || line.code.contains("init")
                || line.code.contains("subscript"),
                let match = line.code.firstMatch(of: declaration)
            {
                pending = (String(match.name), number + 1)
            }
            for byte in line.code.utf8 {
                if byte == UInt8(ascii: "{") {
                    if let found = pending { open.append((found.name, found.line, depth)) }
                    pending = nil
                    depth += 1
                } else if byte == UInt8(ascii: "}") {
                    depth -= 1
                    if let last = open.last, last.depth == depth {
                        open.removeLast()
                        result.append((last.name, last.line, number + 2 - last.line))
                    }
                }
            }
        }
        return result
    }
}
