import Glibc

/// The directory with all of the server's state, held by one process at a time.
package final class StateDirectory: Sendable {
    package let path: String
    private let lockDescriptor: Int32

    /// Makes the directory (mode 0700) where it does not exist, and locks it.
    package init(path: String) throws(ServerStoreError) {
        try Self.create(path)
        let lockPath = path + "/lock"
        let descriptor = unsafe open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw .directory(path: path, reason: Self.reason(errno))
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let error = errno
            close(descriptor)
            guard error != EWOULDBLOCK else { throw .locked(directory: path) }
            throw .directory(path: path, reason: Self.reason(error))
        }
        self.path = path
        lockDescriptor = descriptor
    }

    // Closing lets go of the lock, as does the end of the process.
    deinit { close(lockDescriptor) }

    package func file(_ name: String) -> String { "\(path)/\(name)" }

    /// Makes an empty file of mode 0600 where there is none. What goes wrong shows when it is used.
    func prepareFile(_ name: String) {
        let descriptor = unsafe open(file(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        if descriptor >= 0 { close(descriptor) }
    }

    private static func create(_ path: String) throws(ServerStoreError) {
        var information = stat()
        if unsafe stat(path, &information) == 0 {
            guard information.st_mode & S_IFMT == S_IFDIR else {
                throw .directory(path: path, reason: "it is no directory")
            }
            return
        }
        guard errno == ENOENT else { throw .directory(path: path, reason: reason(errno)) }
        if let slash = path.lastIndex(of: "/"), slash != path.startIndex {
            try create(String(path[..<slash]))
        }
        guard unsafe mkdir(path, 0o700) == 0 || errno == EEXIST else {
            throw .directory(path: path, reason: reason(errno))
        }
    }

    static func reason(_ error: Int32) -> String { unsafe String(cString: strerror(error)) }
}
