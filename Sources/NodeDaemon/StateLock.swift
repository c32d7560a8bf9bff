import Glibc
import LinuxIO

/// Keeps two daemons from sharing a state folder: they would be one node in two places.
struct StateLock: ~Copyable {
    private let file: Descriptor

    init(folder: String) throws(StateError) {
        do throws(SystemError) { try PrivateFolder.prepare(folder) } catch {
            throw StateError(description: "cannot use the state folder \(folder): \(error)")
        }
        let path = folder + "/lock"
        let raw = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard raw >= 0 else {
            throw StateError(description: "open \(path): \(String(cString: strerror(errno)))")
        }
        guard flock(raw, LOCK_EX | LOCK_NB) == 0 else {
            close(raw)
            throw StateError(
                description:
                    "another skein daemon is already running with the state folder \(folder)")
        }
        file = Descriptor(owning: raw)
    }

    /// Lets another daemon have the folder.
    consuming func release() {}
}
