internal import Glibc

/// Whole files that are replaced at once: a reader, or a machine that loses power, sees the old
/// content or the new one and nothing between.
package enum AtomicFile {
    /// Replaces `path` by `bytes`: written beside it, flushed to the disk, renamed over it. The file
    /// gets `mode` whatever the umask; the default keeps secrets from other users.
    package static func write(
        _ bytes: [UInt8], to path: String, mode: UInt32 = 0o600
    ) throws(SystemError) {
        let temporary = path + ".new"
        let file = Descriptor(
            owning: try open(
                temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode,
                operation: "create \(temporary)"))
        // An earlier, looser mode of a left-over file must not stay.
        try result(fchmod(file.raw, mode), "set the mode of \(temporary)")
        var written = 0
        while written < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { buffer in
                unsafe Glibc.write(file.raw, buffer.baseAddress! + written, buffer.count - written)
            }
            if count < 0, errno == EINTR { continue }
            try result(Int32(truncatingIfNeeded: min(count, 1)), "write \(temporary)")
            written += count
        }
        try result(fsync(file.raw), "flush \(temporary)")
        try result(unsafe rename(temporary, path), "rename \(temporary) to \(path)")
        let directory = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
        let folder = Descriptor(
            owning: try open(
                directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, operation: "open \(directory)"))
        try result(fsync(folder.raw), "flush \(directory)")
    }

    /// Whether nobody but its owner may read or write a file. One that does not exist is private.
    package static func isPrivate(_ path: String) throws(SystemError) -> Bool {
        var information = stat()
        guard unsafe stat(path, &information) == 0 else {
            guard errno == ENOENT else { throw SystemError("look at \(path)", code: errno) }
            return true
        }
        return information.st_mode & 0o077 == 0
    }

    /// The content of a file of at most `limit` bytes; nil when there is no such file.
    package static func read(
        _ path: String, limit: Int = 64 << 20
    ) throws(SystemError) -> [UInt8]? {
        let raw = unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC)
        if raw < 0, errno == ENOENT { return nil }
        try result(raw, "open \(path)")
        let file = Descriptor(owning: raw)
        var information = stat()
        try result(unsafe fstat(file.raw, &information), "look at \(path)")
        // Files of /proc and /sys say that they have no size.
        let size = Int(information.st_size)
        guard size <= limit else { throw SystemError("read \(path)", code: EFBIG) }
        // Read where it stays: no copy of a secret is left behind in a buffer.
        var content = [UInt8](repeating: 0, count: (size > 0 ? size : min(limit, 64 << 10)) + 1)
        var filled = 0
        while filled < content.count {
            let count = unsafe content.withUnsafeMutableBytes { buffer in
                unsafe Glibc.read(
                    file.raw, buffer.baseAddress! + filled, buffer.count - filled)
            }
            if count < 0, errno == EINTR { continue }
            try result(Int32(truncatingIfNeeded: min(count, 1)), "read \(path)")
            if count == 0 {
                content.removeLast(content.count - filled)
                return content
            }
            filled += count
        }
        // It grew while it was read, or is one without a size and longer than that.
        throw SystemError("read \(path)", code: EFBIG)
    }

    private static func open(
        _ path: String, _ flags: Int32, _ mode: UInt32, operation: String
    ) throws(SystemError) -> Int32 {
        let raw = unsafe Glibc.open(path, flags, mode)
        try result(raw, operation)
        return raw
    }

    private static func result(
        _ value: Int32, _ operation: @autoclosure () -> String
    ) throws(SystemError) {
        let code = errno
        if value < 0 { throw SystemError(operation(), code: code) }
    }
}
