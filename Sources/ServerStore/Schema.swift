import GRDB

/// The tables, by named steps. A step that was released never changes; new ones are added.
///
/// Columns beside `record` (JSON) are there for constraints and for people who look.
enum Schema {
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
        return migrator
    }
}
