import ControlMessages
import Coordination
import GRDB
import NetTypes

/// Reads the state within a transaction.
struct StateReader {
    let database: Database
    let path: String

    func state() throws -> CoordinationState {
        var highest = CoordinationState.HighestIDs()
        highest.user = try counter("user")
        highest.preAuthKey = try counter("pre_auth_key")
        highest.node = try counter("node")
        highest.client = try counter("client")
        var state = CoordinationState(highest: highest)
        for record in try records("users", as: UserRecord.self) { state.apply(.user(record)) }
        for record in try records("pre_auth_keys", as: PreAuthKeyRecord.self) {
            state.apply(.preAuthKey(record))
        }
        for record in try records("clients", as: ClientRecord.self) {
            state.apply(.client(record))
        }
        for record in try records("groups", by: "name", as: GroupRecord.self) {
            state.apply(.group(record))
        }
        for record in try records("accounts", by: "user", as: AccountRecord.self) {
            state.apply(.account(record))
        }
        for record in try records("sessions", as: SessionRecord.self) {
            state.apply(.session(record))
        }
        for record in try records("nodes", as: NodeRecord.self) {
            // The columns say that keys differ; a record that was tampered with may not.
            guard state.node(key: record.nodeKey) == nil else {
                throw ServerStoreError.damaged(
                    path: path, reason: "nodes with one key, one of them with ID \(record.id)")
            }
            state.apply(.node(record))
        }
        return state
    }

    func changes(since revision: Int64) throws -> [ServerStore.LoggedChange]? {
        let current = try counter("revision")
        if revision == current { return [] }
        let oldest = try Int64.fetchOne(database, sql: "SELECT min(revision) FROM change_log")
        // The oldest commit may have lost its first changes to pruning.
        guard let oldest, revision <= current, revision >= oldest || revision == 0 && oldest == 1
        else { return nil }
        return try Row.fetchAll(
            database,
            sql: "SELECT revision, change FROM change_log WHERE revision > ? ORDER BY position",
            arguments: [revision]
        ).map { row in
            ServerStore.LoggedChange(
                revision: row["revision"], change: try decode(row["change"], "change_log"))
        }
    }

    /// The newest entries before a position, newest first.
    func auditEntries(
        before position: Int64, limit: Int
    ) throws -> [(position: Int64, entry: AuditEntry)] {
        try Row.fetchAll(
            database,
            sql: """
                SELECT position, entry FROM audit_log WHERE position < ?
                ORDER BY position DESC LIMIT ?
                """, arguments: [position, limit]
        ).map { (position: $0["position"], entry: try decode($0["entry"], "audit_log")) }
    }

    private func counter(_ name: String) throws -> Int64 {
        try Int64.fetchOne(
            database, sql: "SELECT value FROM counters WHERE name = ?", arguments: [name]) ?? 0
    }

    private func records<Record: JSONReadable>(
        _ table: String, by column: String = "id", as type: Record.Type
    ) throws -> [Record] {
        try String.fetchAll(database, sql: "SELECT record FROM \(table) ORDER BY \(column)").map {
            try decode($0, table)
        }
    }

    private func decode<Value: JSONReadable>(_ text: String, _ table: String) throws -> Value {
        do { return try Value(jsonBytes: Array(text.utf8)) } catch {
            throw ServerStoreError.damaged(path: path, reason: "table \(table): \(error)")
        }
    }
}
