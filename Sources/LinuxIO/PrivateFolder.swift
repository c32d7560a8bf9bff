internal import Glibc

/// The folder with the state of a program, its secrets included, held by one process at a time.
package final class PrivateFolder: Sendable {
    package enum Failure: Error, Equatable {
        /// Another process holds it.
        case inUse
        case system(SystemError)
    }

    package let path: String
    // The kernel lets go of the lock when the descriptor is closed, or the process killed.
    private let lock: Descriptor

    /// Makes `path` and the folders above it where they are missing (`path` itself with mode 0700
    /// when it is new) and locks it.
    package init(path: String) throws(Failure) {
        do throws(SystemError) { try Self.make(path) } catch { throw .system(error) }
        let file = path + "/lock"
        let raw = unsafe open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard raw >= 0 else { throw .system(SystemError("open \(file)", code: errno)) }
        lock = Descriptor(owning: raw)
        guard flock(raw, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            throw code == EWOULDBLOCK ? .inUse : .system(SystemError("lock \(file)", code: code))
        }
        self.path = path
    }

    package func file(_ name: String) -> String { "\(path)/\(name)" }

    /// Makes an empty file of mode 0600 where there is none.
    package func prepareFile(_ name: String) throws(SystemError) {
        let raw = unsafe open(file(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard raw >= 0 else { throw SystemError("make \(file(name))", code: errno) }
        _ = Descriptor(owning: raw)
    }

    private static func make(_ path: String) throws(SystemError) {
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
