import ControlMessages
import Coordination
import NetTypes
import ServerStore
import Testing

@Suite struct AuditPruneTests {
    private let directory = TemporaryDirectory()

    private func entry(_ day: Int, _ detail: String = "") -> AuditEntry {
        AuditEntry(
            time: Timestamp(unixSeconds: Int64(day) * 86_400), by: .commandLine, .signIn,
            "user anna",
            detail: detail)
    }

    @Test("The oldest entries go, from the beginning only, and that is an entry of its own")
    func pruned() async throws {
        var store: ServerStore? = try directory.open()
        for day in 1...5 { try await store?.commit([.audit(entry(day))]) }
        // One that came late, as after the clock was set back, keeps its place.
        try await store?.commit([.audit(entry(2, "late"))])
        let time = Timestamp(unixSeconds: 3 * 86_400)
        var notice = entry(6)
        notice.action = .auditPruned
        try await store?.commit([.auditPruned(time), .audit(notice)])
        var entries = try #require(try await store?.auditEntries(limit: 100))
        #expect(entries.map(\.entry.time.unixSeconds).map { $0 / 86_400 } == [6, 2, 5, 4, 3])
        #expect(entries.first?.entry.action == .auditPruned)
        // What follows gets numbers that nothing had before.
        try await store?.commit([.auditPruned(Timestamp(unixSeconds: 400 * 86_400))])
        try await store?.commit([.audit(entry(7))])
        store = nil
        store = try directory.open()
        entries = try #require(try await store?.auditEntries(limit: 100))
        #expect(entries.count == 1 && entries[0].position == 8)
        // Nothing else removes an entry, then as before.
        let error = #expect(throws: (any Error).self) {
            try directory.execute("DELETE FROM audit_log")
        }
        #expect("\(String(describing: error))".contains("append-only"))
    }

    @Test("Groups and clients are there after the next start")
    func kept() async throws {
        var store: ServerStore? = try directory.open()
        let user = UserRecord(id: .init(1), name: "anna", created: .zero)
        let group = GroupRecord(name: "ops", members: [user.id], created: .zero)
        let client = ClientRecord(
            number: ClientNumber(4), name: "skein-client-x", secretHash: Bytes32(), user: user.id,
            purpose: "CI", scopes: [.authKeys], tags: ["tag:ci"], created: .zero, expiry: nil)
        try await store?.commit([.user(user), .group(group), .client(client)])
        store = nil
        store = try directory.open()
        var state = try #require(try await store?.load())
        #expect(state.groups == ["ops": group] && state.client(name: client.name) == client)
        #expect(state.highest.client == 4)
        try await store?.commit([.groupRemoved("ops"), .clientRemoved(client.number)])
        state = try #require(try await store?.load())
        #expect(state.groups.isEmpty && state.clients.isEmpty)
        let log = try await store?.changes(since: 0)
        #expect(log?.count == 5)
    }
}
