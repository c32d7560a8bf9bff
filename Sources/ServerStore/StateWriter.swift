import ControlMessages
import Coordination
import CryptoPrimitives
import GRDB
import NetTypes

/// Writes changes within a transaction.
struct StateWriter {
    let database: Database

    /// The revision of the transaction.
    func write(_ changes: [Change]) throws -> Int64 {
        let revision = try increment("revision")
        for change in changes {
            try write(change)
            // The audit log is a log of its own, which is never pruned.
            if case .audit = change { continue }
            try run(
                "INSERT INTO change_log (revision, change) VALUES (?, ?)", [revision, text(change)])
        }
        try run(
            "DELETE FROM change_log WHERE position <= (SELECT max(position) FROM change_log) - ?",
            [ServerStore.logLength])
        return revision
    }

    private func write(_ change: Change) throws {
        switch change {
        case .user(let record):
            try run(
                """
                INSERT INTO users (id, name, record) VALUES (?, ?, ?)
                ON CONFLICT (id) DO UPDATE SET name = excluded.name, record = excluded.record
                """, [record.id.value, record.name, text(record)])
            try raise("user", to: record.id.value)
        case .userRemoved(let id): try run("DELETE FROM users WHERE id = ?", [id.value])
        case .preAuthKey(let record):
            try run(
                """
                INSERT INTO pre_auth_keys (id, hash, record) VALUES (?, ?, ?)
                ON CONFLICT (id) DO UPDATE SET hash = excluded.hash, record = excluded.record
                """,
                [record.id.value, Hexadecimal.encode(record.hash.array), text(record)])
            try raise("pre_auth_key", to: record.id.value)
        case .preAuthKeyRemoved(let id):
            try run("DELETE FROM pre_auth_keys WHERE id = ?", [id.value])
        case .client(let record):
            try run(
                """
                INSERT INTO clients (id, name, record) VALUES (?, ?, ?)
                ON CONFLICT (id) DO UPDATE SET record = excluded.record
                """, [record.number.value, record.name, text(record)])
            try raise("client", to: record.number.value)
        case .clientRemoved(let number):
            try run("DELETE FROM clients WHERE id = ?", [number.value])
        case .node(let record):
            try run(
                """
                INSERT INTO nodes (id, node_key, machine_key, name, record) VALUES (?, ?, ?, ?, ?)
                ON CONFLICT (id) DO UPDATE SET node_key = excluded.node_key,
                    machine_key = excluded.machine_key, name = excluded.name,
                    record = excluded.record
                """,
                [
                    record.id.value, record.nodeKey.description, record.machineKey.description,
                    record.name, text(record),
                ])
            try raise("node", to: record.id.value)
        case .nodeRemoved(let id): try run("DELETE FROM nodes WHERE id = ?", [id.value])
        case .account, .accountRemoved, .session, .sessionRemoved, .group, .groupRemoved, .audit,
            .auditPruned:
            try writeAccounts(change)
        }
    }

    private func writeAccounts(_ change: Change) throws {
        switch change {
        case .account(let record):
            try run(
                """
                INSERT INTO accounts (user, record) VALUES (?, ?)
                ON CONFLICT (user) DO UPDATE SET record = excluded.record
                """, [record.user.value, text(record)])
        case .accountRemoved(let id):
            try run("DELETE FROM accounts WHERE user = ?", [id.value])
        case .session(let record):
            try run(
                """
                INSERT INTO sessions (id, user, record) VALUES (?, ?, ?)
                ON CONFLICT (id) DO UPDATE SET record = excluded.record
                """, [record.id.text, record.user.value, text(record)])
        case .sessionRemoved(let id): try run("DELETE FROM sessions WHERE id = ?", [id.text])
        case .group(let record):
            try run(
                """
                INSERT INTO groups (name, record) VALUES (?, ?)
                ON CONFLICT (name) DO UPDATE SET record = excluded.record
                """, [record.name, text(record)])
        case .groupRemoved(let name): try run("DELETE FROM groups WHERE name = ?", [name])
        case .audit(let entry):
            try run("INSERT INTO audit_log (entry) VALUES (?)", [text(entry)])
        case .auditPruned(let time): try pruneAudit(before: time)
        default: preconditionFailure("other changes have other tables")
        }
    }

    /// Only from its beginning: what stays has no gaps.
    private func pruneAudit(before time: Timestamp) throws {
        let kept = try Int64.fetchOne(
            database,
            sql: "SELECT min(position) FROM audit_log WHERE entry ->> 'time' >= ?",
            arguments: [time.description])
        try database.execute(sql: "DROP TRIGGER audit_log_is_not_shortened")
        try run("DELETE FROM audit_log WHERE position < ?", [kept ?? .max])
        try database.execute(sql: Schema.auditLogIsNotShortened)
    }

    private func increment(_ counter: String) throws -> Int64 {
        try run("UPDATE counters SET value = value + 1 WHERE name = ?", [counter])
        return try Int64.fetchOne(
            database, sql: "SELECT value FROM counters WHERE name = ?", arguments: [counter]) ?? 0
    }

    private func raise(_ counter: String, to value: Int64) throws {
        try run("UPDATE counters SET value = max(value, ?) WHERE name = ?", [value, counter])
    }

    private func run(_ sql: String, _ arguments: StatementArguments) throws {
        try database.cachedStatement(sql: sql).execute(arguments: arguments)
    }

    private func text(_ value: some JSONWritable) -> String {
        String(decoding: value.jsonBytes, as: UTF8.self)
    }
}
