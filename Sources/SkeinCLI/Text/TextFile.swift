import Glibc

enum TextFile {
    /// The text of a small file; nil when it cannot be read, is larger than `limit`, or no UTF-8.
    static func read(_ path: String, limit: Int) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: limit + 1)
        let count = fread(&bytes, 1, bytes.count, file)
        guard ferror(file) == 0, count <= limit else { return nil }
        return String(validating: bytes[..<count], as: UTF8.self)
    }

    /// The path from the root, which means the same to another process.
    static func absolutePath(_ path: String) -> String {
        guard !path.hasPrefix("/"), let folder = getcwd(nil, 0) else { return path }
        defer { free(folder) }
        return "\(String(cString: folder))/\(path)"
    }
}
