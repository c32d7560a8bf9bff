import Glibc
import NIOCore
import NIOPosix

/// Why the socket cannot be listened on.
package enum LocalSocketError: Error, Equatable, CustomStringConvertible {
    /// Somebody answers there already.
    case inUse(path: String)
    /// There is a file, and it is no socket.
    case notASocket(path: String)
    case system(operation: String, path: String, code: Int32)
    /// A Unix socket's path has at most 107 bytes.
    case pathTooLong(path: String)

    package var description: String {
        switch self {
        case .inUse(let path):
            "another daemon is running: it answers at \(path)"
        case .notASocket(let path):
            "\(path) exists and is not a socket; name another with --socket or remove it"
        case .system(let operation, let path, let code):
            "cannot \(operation) \(path): \(errorText(code))"
        case .pathTooLong(let path):
            "the path of a socket has at most 107 bytes, this one \(path.utf8.count): \(path)"
        }
    }
}

/// The system's words for an error number.
func errorText(_ code: Int32) -> String {
    unsafe strerror(code).map { unsafe String(cString: $0) } ?? "error \(code)"
}

/// The file of a listening Unix socket.
struct SocketFile {
    var path: String

    /// Makes the folder, and removes a socket that a daemon left when it was killed: one at which
    /// nobody listens.
    func prepare(group: any EventLoopGroup) async throws(LocalSocketError) {
        guard path.utf8.count <= 107 else { throw .pathTooLong(path: path) }
        try makeFolder()
        var information = stat()
        guard unsafe lstat(path, &information) == 0 else {
            if errno == ENOENT { return }
            throw .system(operation: "look at", path: path, code: errno)
        }
        guard information.st_mode & S_IFMT == S_IFSOCK else { throw .notASocket(path: path) }
        do {
            let channel = try await ClientBootstrap(group: group)
                .connectTimeout(.seconds(2))
                .connect(unixDomainSocketPath: path).get()
            // It answered, which is all there was to find out.
            try? await channel.close().get()
        } catch let error as IOError where error.errnoCode == ECONNREFUSED {
            guard unsafe unlink(path) == 0 || errno == ENOENT else {
                throw .system(operation: "remove", path: path, code: errno)
            }
            return
        } catch {
            throw .inUse(path: path)
        }
        throw .inUse(path: path)
    }

    private func makeFolder() throws(LocalSocketError) {
        guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return }
        let folder = String(path[..<slash])
        guard unsafe mkdir(folder, 0o755) == 0 || errno == EEXIST else {
            throw .system(operation: "make the folder", path: folder, code: errno)
        }
    }

    /// Lets every user connect: what each may do is decided by who they are.
    func open() throws(LocalSocketError) {
        guard unsafe chmod(path, 0o666) == 0 else {
            throw .system(operation: "set the mode of", path: path, code: errno)
        }
    }

    func remove() { _ = unsafe unlink(path) }
}
