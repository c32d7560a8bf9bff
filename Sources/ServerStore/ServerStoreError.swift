/// Why the server's state cannot be used. The description is one line for an operator.
package enum ServerStoreError: Error, Equatable, CustomStringConvertible {
    /// Another process works with this state directory.
    case locked(directory: String)
    case directory(path: String, reason: String)
    case notOpened(path: String, reason: String)
    case damaged(path: String, reason: String)
    /// A newer version of the program wrote the database.
    case newerSchema(path: String)
    case notStored(path: String, reason: String)
    case keyFile(path: String, reason: String)

    package var description: String {
        switch self {
        case .locked(let directory):
            "another skein-server is running with the state directory \(directory)"
        case .directory(let path, let reason):
            "the state directory \(path) cannot be used: \(reason)"
        case .notOpened(let path, let reason):
            "the database \(path) cannot be opened: \(reason)"
        case .damaged(let path, let reason):
            "the database \(path) is damaged (\(reason)): it was left as it is; put back a copy, "
                + "or move it away to start anew"
        case .newerSchema(let path):
            "the database \(path) was written by a newer skein-server: use that version or newer"
        case .notStored(let path, let reason):
            "the database \(path) cannot be written: \(reason)"
        case .keyFile(let path, let reason):
            "the key file \(path) cannot be used: \(reason); it was left as it is"
        }
    }
}
