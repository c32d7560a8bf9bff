import ControlMessages
import Coordination
import CryptoPrimitives
import Foundation
import GRDB
import NetTypes
import ServerStore
import Testing

/// A directory that goes with the test.
final class TemporaryDirectory {
    let path = FileManager.default.temporaryDirectory
        .appendingPathComponent("store-\(UUID().uuidString)").path
    deinit {
        // Nothing was made when the test failed early.
        try? FileManager.default.removeItem(atPath: path)
    }

    func open() throws -> ServerStore { try ServerStore(folder: path) }
    var database: String { path + "/" + ServerStore.fileName }
    func contents(_ name: String) -> Data? {
        FileManager.default.contents(atPath: path + "/" + name)
    }
    func write(_ text: String, to name: String) {
        _ = FileManager.default.createFile(atPath: path + "/" + name, contents: Data(text.utf8))
    }
}

private func user(_ number: Int64) -> UserRecord {
    UserRecord(id: UserID(number), name: "user\(number)", created: Timestamp(unixSeconds: number))
}
private func node(_ number: Int64, key: UInt8? = nil, name: String? = nil) -> NodeRecord {
    let bytes = [UInt8](repeating: key ?? UInt8(number), count: 32)
    var record = NodeRecord(
        id: NodeID(number), machineKey: MachineKey(Bytes32(bytes)),
        nodeKey: NodeKey(Bytes32(bytes)),
        name: name ?? "node\(number)", created: Timestamp(unixSeconds: 5), registration: .approval)
    record.ipv4 = IPv4Address(100, 64, 0, UInt8(number))
    return record
}

@Suite struct ServerStoreTests {
    private let directory = TemporaryDirectory()

    @Test func whatWasCommittedIsThereAfterAnAbruptEnd() async throws {
        var store: ServerStore? = try directory.open()
        var key = PreAuthKeyRecord(
            id: PreAuthKeyID(1), prefix: "p", hash: Bytes32(Array(repeating: 3, count: 32)),
            user: UserID(1), created: .zero)
        key.tags = ["tag:a"]
        #expect(try await store!.commit([.user(user(1)), .preAuthKey(key), .node(node(1))]) == 1)
        #expect(try await store!.commit([.node(node(2))]) == 2)
        // Copied while it is open: what a kill leaves behind.
        let copy = TemporaryDirectory()
        try FileManager.default.copyItem(atPath: directory.path, toPath: copy.path)
        let expected = try await store!.load()
        store = nil
        for place in [directory, copy] {
            let state = try await place.open().load()
            #expect(state.nodes == expected.nodes && state.nodes.count == 2)
            #expect(state.users == [UserID(1): user(1)])
            #expect(state.preAuthKeys == [PreAuthKeyID(1): key])
        }
    }

    @Test func aCommitIsAllOrNothing() async throws {
        let store = try directory.open()
        try await store.commit([.node(node(1))])
        await #expect(throws: ServerStoreError.self) {
            // The second has the key of the first.
            try await store.commit([.node(node(2)), .node(node(3, key: 1))])
        }
        let state = try await store.load()
        #expect(state.nodes.keys.sorted() == [NodeID(1)])
        #expect(try await store.commit([.node(node(2))]) == 2)
    }

    @Test func aKeyMayMoveToAnotherNodeInOneCommit() async throws {
        let store = try directory.open()
        try await store.commit([.node(node(1))])
        try await store.commit([.nodeRemoved(NodeID(1)), .node(node(2, key: 1, name: "node1"))])
        let state = try await store.load()
        #expect(state.nodes.keys.sorted() == [NodeID(2)])
    }

    @Test func idsOfRemovedThingsDoNotComeBack() async throws {
        let store = try directory.open()
        try await store.commit([.user(user(7)), .node(node(9))])
        try await store.commit([.userRemoved(UserID(7)), .nodeRemoved(NodeID(9))])
        let state = try await store.load()
        #expect(state.highest.user == 7 && state.highest.node == 9)
    }

    @Test func theLogTellsWhatHappenedSince() async throws {
        let store = try directory.open()
        let changes: [Change] = [.user(user(1)), .node(node(1)), .nodeRemoved(NodeID(1))]
        try await store.commit([changes[0]])
        try await store.commit([changes[1], changes[2]])
        let all = try await store.changes(since: 0)
        #expect(all?.map(\.change) == changes)
        #expect(all?.map(\.revision) == [1, 2, 2])
        let some = try await store.changes(since: 1)
        #expect(some?.map(\.change) == [changes[1], changes[2]])
        let none = try await store.changes(since: 2)
        #expect(none == [])
        let future = try await store.changes(since: 3)
        #expect(future == nil)
    }

    @Test func theLogIsPruned() async throws {
        let store = try directory.open()
        let many = Array(repeating: Change.user(user(1)), count: Int(ServerStore.logLength))
        try await store.commit([.node(node(1))])
        try await store.commit(many)
        let all = try await store.changes(since: 0)
        #expect(all == nil)
        let state = try await store.load()
        #expect(state.nodes.count == 1)
    }

    @Test func onlyOneProcessUsesADirectory() throws {
        let store = try directory.open()
        #expect(throws: ServerStoreError.locked(directory: directory.path)) {
            try ServerStore.hold(directory.path)
        }
        withExtendedLifetime(store) {}
    }

    @Test func aDamagedDatabaseIsRefusedAndKept() async throws {
        _ = try directory.open()
        let garbage = String(repeating: "not a database at all", count: 100)
        directory.write(garbage, to: ServerStore.fileName)
        let error = #expect(throws: ServerStoreError.self) { try directory.open() }
        #expect(error?.description.contains("damaged") == true)
        #expect(error?.description.contains("\n") == false)
        #expect(directory.contents(ServerStore.fileName) == Data(garbage.utf8))
    }

    @Test func aNewerDatabaseIsRefused() async throws {
        _ = try directory.open()
        try directory.execute("INSERT INTO grdb_migrations VALUES ('9 from the future')")
        #expect(throws: ServerStoreError.newerSchema(path: directory.database)) {
            try directory.open()
        }
    }

    @Test func anUnreadableRecordIsNamed() async throws {
        var store: ServerStore? = try directory.open()
        try await store!.commit([.node(node(1))])
        store = nil
        try directory.execute("UPDATE nodes SET record = '{'")
        let reopened = try directory.open()
        let error = await #expect(throws: ServerStoreError.self) { try await reopened.load() }
        #expect(error?.description.contains("table nodes") == true)
    }

    @Test func commitsReachTheDisk() throws {
        let store = try directory.open()
        #expect(try store.pragma("synchronous") == "2")
        #expect(try store.pragma("journal_mode") == "wal")
    }

    @Test func theDatabaseIsPrivate() throws {
        let store = try directory.open()
        for suffix in ["", "-wal", "-shm"] {
            let attributes = try FileManager.default.attributesOfItem(
                atPath: directory.database + suffix)
            #expect(attributes[.posixPermissions] as? Int == 0o600)
        }
        withExtendedLifetime(store) {}
    }

    @Test func keyFilesAreMadeOnceAndPrivate() throws {
        let path = directory.path + "/noise.key"
        _ = try directory.open()
        let first = try KeyFile.loadOrCreate(path, as: MachineKind.self)
        let second = try KeyFile.loadOrCreate(path, as: MachineKind.self)
        #expect(first.publicKey == second.publicKey)
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
        let names = try FileManager.default.contentsOfDirectory(atPath: directory.path)
        #expect(!names.contains("noise.key.new"))
    }

    @Test func aDamagedKeyFileIsRefusedAndKept() throws {
        _ = try directory.open()
        directory.write("{\"half\":", to: "noise.key")
        let path = directory.path + "/noise.key"
        #expect(throws: ServerStoreError.self) {
            try KeyFile.loadOrCreate(path, as: MachineKind.self)
        }
        #expect(directory.contents("noise.key") == Data("{\"half\":".utf8))
    }
}

extension TemporaryDirectory {
    func execute(_ sql: String) throws {
        try DatabaseQueue(path: database).write { try $0.execute(sql: sql) }
    }
}
