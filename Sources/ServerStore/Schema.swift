import GRDB

/// The tables, by named steps. A step that was released never changes; new ones are added.
///
/// Columns beside `record` (JSON) are there for constraints and for people who look.
enum Schema {
    /// Lifted for a moment where an administrator prunes the log.
    static let auditLogIsNotShortened = """
        CREATE TRIGGER audit_log_is_not_shortened BEFORE DELETE ON audit_log
            BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END
        """

    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1 users, keys, nodes, log") { database in
            try database.execute(
                sql: """
                    CREATE TABLE users (
                        id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, record TEXT NOT NULL
                    ) STRICT;
                    CREATE TABLE pre_auth_keys (
                        id INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, record TEXT NOT NULL
                    ) STRICT;
                    CREATE TABLE nodes (
                        id INTEGER PRIMARY KEY, node_key TEXT NOT NULL UNIQUE,
                        machine_key TEXT NOT NULL, name TEXT NOT NULL UNIQUE, record TEXT NOT NULL
                    ) STRICT;
                    CREATE TABLE change_log (
                        position INTEGER PRIMARY KEY, revision INTEGER NOT NULL,
                        change TEXT NOT NULL
                    ) STRICT;
                    CREATE INDEX change_log_revision ON change_log (revision);
                    CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
                    INSERT INTO counters (name, value)
                        VALUES ('revision', 0), ('user', 0), ('pre_auth_key', 0), ('node', 0);
                    """)
        }
        migrator.registerMigration("2 accounts, sessions, audit log") { database in
            try database.execute(
                sql: """
                    CREATE TABLE accounts (user INTEGER PRIMARY KEY, record TEXT NOT NULL) STRICT;
                    CREATE TABLE sessions (
                        id TEXT PRIMARY KEY, user INTEGER NOT NULL, record TEXT NOT NULL
                    ) STRICT, WITHOUT ROWID;
                    CREATE TABLE audit_log (
                        position INTEGER PRIMARY KEY AUTOINCREMENT, entry TEXT NOT NULL
                    ) STRICT;
                    CREATE TRIGGER audit_log_is_not_changed BEFORE UPDATE ON audit_log
                        BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
                    \(auditLogIsNotShortened);
                    """)
        }
        migrator.registerMigration("3 clients") { database in
            try database.execute(
                sql: """
                    CREATE TABLE clients (
                        id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, record TEXT NOT NULL
                    ) STRICT;
                    INSERT INTO counters (name, value) VALUES ('client', 0);
                    """)
        }
        migrator.registerMigration("4 groups") { database in
            try database.execute(
                sql: """
                    CREATE TABLE groups (name TEXT PRIMARY KEY, record TEXT NOT NULL)
                        STRICT, WITHOUT ROWID;
                    """)
        }
        return migrator
    }
}
