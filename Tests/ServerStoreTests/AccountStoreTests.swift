import ControlMessages
import Coordination
import Foundation
import NetTypes
import ServerStore
import Testing

@Suite struct AccountStoreTests {
    private let directory = TemporaryDirectory()

    private var account: AccountRecord {
        var account = AccountRecord(user: UserID(1))
        account.password = "00ff"
        account.isPasswordTemporary = true
        account.passwordChanged = Timestamp(unixSeconds: 5)
        account.oneTimeCodes = .init(secret: "aa", lastStep: 7)
        account.recoveryCodes = [Bytes32([UInt8](repeating: 9, count: 32))]
        account.knownBrowsers = [
            .init(hash: Bytes32([UInt8](repeating: 8, count: 32)), lastUsed: .zero)
        ]
        return account
    }
    private var session: SessionRecord {
        var session = SessionRecord(
            id: SessionID(Bytes32([UInt8](repeating: 3, count: 32))), user: UserID(1),
            created: Timestamp(unixSeconds: 1), expiry: Timestamp(unixSeconds: 9),
            address: "::1", browser: "b", provider: "local", factors: ["password"])
        session.lastUsed = Timestamp(unixSeconds: 2)
        return session
    }
    private var user: UserRecord {
        var user = UserRecord(id: UserID(1), name: "anna", created: .zero)
        user.role = .auditor
        user.isSuspended = true
        user.email = "a@b"
        user.groups = ["dev"]
        user.identities = [UserIdentity(provider: "corp", subject: "7")]
        return user
    }

    @Test("Accounts and sessions are there after the next start, and gone once removed")
    func kept() async throws {
        var store: ServerStore? = try directory.open()
        try await store?.commit([.user(user), .account(account), .session(session)])
        store = nil
        store = try directory.open()
        var state = try #require(try await store?.load())
        #expect(state.users[UserID(1)] == user)
        #expect(state.accounts[UserID(1)] == account)
        #expect(state.sessions(of: UserID(1)) == [session])
        #expect(state.user(identity: user.identities[0])?.id == UserID(1))
        try await store?.commit([.sessionRemoved(session.id), .accountRemoved(UserID(1))])
        state = try #require(try await store?.load())
        #expect(state.accounts.isEmpty && state.sessions.isEmpty)
        #expect(state.sessions(of: UserID(1)).isEmpty)
        let log = try await store?.changes(since: 0)
        #expect(
            log?.map(\.change).suffix(2) == [
                .sessionRemoved(session.id), .accountRemoved(UserID(1)),
            ])
    }

    @Test("A record of before accounts is that of a member")
    func oldRecord() throws {
        let record = try UserRecord(jsonBytes: Array(#"{"id":3,"name":"x"}"#.utf8))
        #expect(record.role == .member && !record.isSuspended && record.identities.isEmpty)
        let later = try UserRecord(jsonBytes: Array(#"{"id":3,"name":"x","role":"king"}"#.utf8))
        #expect(later.role == .member)
    }

    @Test("The audit log is read newest first, page by page, and cannot be changed")
    func audit() async throws {
        let store = try directory.open()
        for number in 1...5 {
            let entry = AuditEntry(
                time: Timestamp(unixSeconds: Int64(number)),
                by: Initiator(.user, name: "anna", address: IPAddress("192.0.2.1")), .signIn,
                "user anna", isRefused: number == 3, detail: "\(number)")
            try await store.commit([.audit(entry)])
        }
        let newest = try await store.auditEntries(limit: 2)
        #expect(newest.map(\.entry.detail) == ["5", "4"])
        let older = try await store.auditEntries(before: newest.last?.position, limit: 10)
        #expect(older.map(\.entry.detail) == ["3", "2", "1"])
        #expect(older.map(\.entry.isRefused) == [true, false, false])
        #expect(older[0].entry.initiator.address == "192.0.2.1")
        for sql in ["DELETE FROM audit_log", "UPDATE audit_log SET entry = '{}'"] {
            let error = #expect(throws: (any Error).self) { try directory.execute(sql) }
            #expect("\(String(describing: error))".contains("append-only"))
        }
        // It is no part of the changes that are pruned.
        let log = try await store.changes(since: 0)
        #expect(log?.isEmpty != false)
    }
}
