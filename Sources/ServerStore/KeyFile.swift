package import CryptoPrimitives
import Glibc
package import NetTypes

/// The file of a private key: one line, `privkey:` and 64 digits, mode 0600.
package enum KeyFile {
    /// Reads the key, or makes one and stores it where there is no file yet.
    package static func loadOrCreate<Kind: KeyKind>(
        _ path: String, as kind: Kind.Type = Kind.self
    ) throws(ServerStoreError) -> PrivateKey<Kind> {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            guard errno == ENOENT else {
                throw .keyFile(path: path, reason: StateDirectory.reason(errno))
            }
            return try create(path)
        }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 256)
        defer { wipe(&bytes) }
        let count = unsafe bytes.withUnsafeMutableBytes { buffer in
            unsafe read(descriptor, buffer.baseAddress!, buffer.count)
        }
        guard count >= 0 else {
            throw .keyFile(path: path, reason: StateDirectory.reason(errno))
        }
        var text = String(decoding: bytes[..<count], as: UTF8.self)
        while let last = text.last, last.isWhitespace { text.removeLast() }
        guard let key = PrivateKey<Kind>(text: text) else {
            throw .keyFile(path: path, reason: "it holds no key ('privkey:' and 64 digits)")
        }
        return key
    }

    /// Writes beside the place and links the finished file there, so that no half of a key is
    /// ever seen and a key that somebody else made meanwhile is not replaced.
    private static func create<Kind: KeyKind>(
        _ path: String
    ) throws(ServerStoreError) -> PrivateKey<Kind> {
        let key = PrivateKey<Kind>()
        let temporary = path + ".new"
        unsafe unlink(temporary)
        let descriptor = unsafe open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw .keyFile(path: path, reason: StateDirectory.reason(errno))
        }
        var bytes = Array((key.storedText + "\n").utf8)
        defer { wipe(&bytes) }
        let isWritten = unsafe bytes.withUnsafeBytes { buffer in
            unsafe write(descriptor, buffer.baseAddress!, buffer.count) == buffer.count
        }
        let isKept =
            unsafe isWritten && fsync(descriptor) == 0 && link(temporary, path) == 0
        let error = errno
        close(descriptor)
        unsafe unlink(temporary)
        guard isKept else { throw .keyFile(path: path, reason: StateDirectory.reason(error)) }
        syncDirectory(of: path)
        return key
    }

    private static func syncDirectory(of path: String) {
        let directory = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        let descriptor = unsafe open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        // File systems that cannot sync a directory write its entries in order.
        _ = fsync(descriptor)
        close(descriptor)
    }
}
