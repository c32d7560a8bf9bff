internal import Glibc

/// A folder for secrets.
package enum PrivateFolder {
    /// Makes `path` and the folders above it where they are missing; `path` itself gets mode 0700
    /// when it is new.
    package static func prepare(_ path: String) throws(SystemError) {
        var made = path.hasPrefix("/") ? "/" : ""
        let parts = path.split(separator: "/")
        for (index, part) in parts.enumerated() {
            made += (made.isEmpty || made.hasSuffix("/") ? "" : "/") + part
            let mode: mode_t = index == parts.count - 1 ? 0o700 : 0o755
            if unsafe mkdir(made, mode) != 0, errno != EEXIST {
                throw SystemError("make the folder \(made)", code: errno)
            }
        }
    }
}
