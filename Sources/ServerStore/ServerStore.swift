package import Coordination
import GRDB
package import LinuxIO
import NetTypes

/// The network's state in an SQLite database: tables with the state as it is, and a log of the
/// changes that led there.
///
/// A commit is one transaction that reached the disk (WAL, `synchronous=FULL`) before it returns;
/// a process that is killed at any moment loses nothing that was committed.
package final class ServerStore: Sendable {
    package static var fileName: String { "skein-server.sqlite" }
    /// Changes that the log keeps at least; older ones are pruned.
    package static var logLength: Int64 { 10_000 }

    private let queue: DatabaseQueue
    private let path: String
    /// Held for as long as the store is used.
    package let directory: PrivateFolder

    /// Opens the database of a state directory, making or migrating it where needed.
    package init(directory: PrivateFolder) throws(ServerStoreError) {
        self.directory = directory
        path = directory.file(Self.fileName)
        // SQLite would make it readable for all; its companions get the same mode.
        do throws(SystemError) { try directory.prepareFile(Self.fileName) } catch {
            throw .notOpened(path: path, reason: "\(error)")
        }
        do {
            var configuration = Configuration()
            configuration.label = "ServerStore"
            configuration.busyMode = .timeout(5)
            queue = try DatabaseQueue(path: path, configuration: configuration)
            try queue.writeWithoutTransaction { database in
                try database.execute(sql: "PRAGMA journal_mode=WAL")
                try database.execute(sql: "PRAGMA synchronous=FULL")
            }
            try Self.check(queue, path)
            try Schema.migrator.migrate(queue)
        } catch let error as ServerStoreError {
            throw error
        } catch let error as DatabaseError {
            throw Self.openingError(error, path)
        } catch {
            throw .notOpened(path: path, reason: "\(error)")
        }
    }

    private static func check(_ queue: DatabaseQueue, _ path: String) throws {
        try queue.read { database in
            let report = try String.fetchOne(database, sql: "PRAGMA quick_check(1)") ?? "ok"
            guard report == "ok" else {
                throw ServerStoreError.damaged(path: path, reason: report)
            }
            guard try !Schema.migrator.hasBeenSuperseded(database) else {
                throw ServerStoreError.newerSchema(path: path)
            }
        }
    }

    private static func openingError(_ error: DatabaseError, _ path: String) -> ServerStoreError {
        let reason = error.message ?? "SQLite error \(error.resultCode.rawValue)"
        return switch error.resultCode {
        case .SQLITE_NOTADB, .SQLITE_CORRUPT: .damaged(path: path, reason: reason)
        default: .notOpened(path: path, reason: reason)
        }
    }

    /// Opens the database in the folder at `path`, which is made where it is missing, and holds it.
    package convenience init(folder path: String) throws(ServerStoreError) {
        try self.init(directory: Self.hold(path))
    }

    /// The folder with all of the server's state, for this process alone.
    package static func hold(_ path: String) throws(ServerStoreError) -> PrivateFolder {
        do throws(PrivateFolder.Failure) {
            return try PrivateFolder(path: path)
        } catch {
            switch error {
            case .inUse: throw .locked(directory: path)
            case .system(let error): throw .directory(path: path, reason: "\(error)")
            }
        }
    }

    // MARK: Reading

    /// The state as of the last commit.
    package func load() async throws(ServerStoreError) -> CoordinationState {
        do {
            return try await queue.read { [path] in
                try StateReader(database: $0, path: path).state()
            }
        } catch let error as ServerStoreError {
            throw error
        } catch let error as DatabaseError {
            throw Self.openingError(error, path)
        } catch {
            throw .notOpened(path: path, reason: "\(error)")
        }
    }

    /// A change and the commit it was part of.
    package struct LoggedChange: Equatable, Sendable {
        package var revision: Int64
        package var change: Change
    }

    /// The changes of the commits after `revision`, in order; nil when the log no longer reaches
    /// so far back and the whole state has to be loaded.
    package func changes(
        since revision: Int64
    ) async throws(ServerStoreError) -> [LoggedChange]? {
        do {
            return try await queue.read { [path] in
                try StateReader(database: $0, path: path).changes(since: revision)
            }
        } catch let error as ServerStoreError {
            throw error
        } catch {
            throw .notOpened(path: path, reason: "\(error)")
        }
    }

    /// The newest entries of the audit log before a position (all, if that is nil), newest first.
    package func auditEntries(
        before position: Int64? = nil, limit: Int
    ) async throws(ServerStoreError) -> [(position: Int64, entry: AuditEntry)] {
        do {
            return try await queue.read { [path] in
                try StateReader(database: $0, path: path)
                    .auditEntries(before: position ?? .max, limit: limit)
            }
        } catch let error as ServerStoreError {
            throw error
        } catch {
            throw .notOpened(path: path, reason: "\(error)")
        }
    }

    // MARK: Writing

    /// Stores changes in one transaction: all of them, or none and an error.
    ///
    /// - Returns: the revision, which grows by one with each commit.
    @discardableResult
    package func commit(_ changes: [Change]) async throws(ServerStoreError) -> Int64 {
        do {
            return try await queue.write { try StateWriter(database: $0).write(changes) }
        } catch let error as DatabaseError {
            throw .notStored(path: path, reason: error.message ?? "\(error.resultCode)")
        } catch {
            throw .notStored(path: path, reason: "\(error)")
        }
    }

    /// Writes the log into the database file and closes it. Nothing is lost without.
    package func close() throws(ServerStoreError) {
        do { try queue.close() } catch { throw .notStored(path: path, reason: "\(error)") }
    }
}

extension ServerStore {
    /// The value of an SQLite setting.
    package func pragma(_ name: String) throws -> String {
        try queue.read { try String.fetchOne($0, sql: "PRAGMA \(name)") ?? "" }
    }
}
