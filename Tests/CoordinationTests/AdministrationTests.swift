import ControlMessages
import Coordination
import NetTypes
import Testing

@Suite struct AdministrationTests {
    @Test func usersAreCreatedOnceAndDeletedWhenTheyHaveNoNodes() throws {
        let network = TestNetwork()
        let now = network.now.wall
        #expect(throws: AdministrationRefusal.userExists("anna")) {
            try network.createUser("anna", at: now)
        }
        for name in ["", "-x", "a b", "ä", String(repeating: "a", count: 65)] {
            #expect(throws: AdministrationRefusal.invalidUserName(name)) {
                try network.createUser(name, at: now)
            }
        }
        _ = network.key(user: "ben")
        network.join(1)
        #expect(throws: AdministrationRefusal.userHasNodes("anna", count: 1)) {
            try network.deleteUser("anna")
        }
        network.store(try network.coordinator.deleteUser(name: "ben"))
        let state = network.coordinator.state
        #expect(state.user(name: "ben") == nil)

        #expect(state.sortedPreAuthKeys.allSatisfy { $0.user == UserID(1) })
        #expect(throws: AdministrationRefusal.unknownUser("ben")) {
            try network.deleteUser("ben")
        }
    }

    @Test(arguments: [
        "1", "host1", "host1.mesh.example", "host1.mesh.example.", "100.64.0.1",
        "fd7a:115c:a1e0::1",
    ])
    func nodesAreFoundByIDNameAndAddress(text: String) throws {
        let network = TestNetwork()
        let node = network.join(1)
        #expect(try network.find(text) == node)
    }

    @Test func unknownNodesAndBadNamesAreErrors() throws {
        let network = TestNetwork()
        network.join(1)
        network.join(2)
        #expect(throws: AdministrationRefusal.unknownNode("x")) { try network.find("x") }
        #expect(throws: AdministrationRefusal.nodeNameTaken("host2")) {
            try network.rename("host1", to: "host2")
        }
        for name in ["", "A", "a.b", "-a", "a-"] {
            #expect(throws: AdministrationRefusal.invalidNodeName(name)) {
                try network.rename("host1", to: name)
            }
        }
    }

    @Test func revokedKeysAreFoundByIDPrefixOrText() throws {
        let network = TestNetwork()
        let texts = [network.key(), network.key(), network.key()]
        let prefix = texts[1].split(separator: "-").prefix(3).joined(separator: "-")
        for name in ["1", prefix, texts[2]] {
            network.store(try network.coordinator.revokePreAuthKey(name))
        }
        let areRevoked = network.coordinator.state.sortedPreAuthKeys.map(\.isRevoked)
        #expect(areRevoked == [true, true, true])
        #expect(throws: AdministrationRefusal.unknownKey("9")) { try network.revoke("9") }
    }

    @Test func badKeyOptionsAreRefused() {
        let now = Timestamp(rfc3339: "2026-11-24T08:00:00Z")!
        #expect(throws: AdministrationRefusal.invalidTag("web")) {
            try TestNetwork().createKey { $0.tags = ["web"] }
        }
        #expect(throws: AdministrationRefusal.invalidTag("tag:1x")) {
            try TestNetwork().createKey { $0.tags = ["tag:1x"] }
        }
        #expect(throws: AdministrationRefusal.expiryInThePast) {
            try TestNetwork().createKey { $0.expiry = now }
        }
    }

    /// The stored form of every change means the same as the change itself.
    @Test func changesSurviveTheirStoredForm() throws {
        let network = TestNetwork { $0.keyLifetime = .minutes(60) }
        var random = SeededRandom(state: 7)
        var next = 1
        for _ in 0..<300 { network.act(&next, &random) }
        network.join(next) { $0.tags = ["tag:a"] }
        network.store(try network.coordinator.revokePreAuthKey("1"))
        var copy = CoordinationState()
        for change in network.log {
            let read = try Change(jsonBytes: change.jsonBytes)
            #expect(read == change)
            copy.apply(read)
        }
        let state = network.coordinator.state
        #expect(copy.nodes == state.nodes && copy.users == state.users)
        #expect(copy.preAuthKeys == state.preAuthKeys && copy.highest == state.highest)
    }
}

extension TestNetwork {
    func createUser(_ name: String, at now: Timestamp) throws(AdministrationRefusal) {
        _ = try coordinator.createUser(name: name, at: now)
    }
    func deleteUser(_ name: String) throws(AdministrationRefusal) {
        _ = try coordinator.deleteUser(name: name)
    }
    func find(_ text: String) throws(AdministrationRefusal) -> NodeRecord {
        try coordinator.node(text)
    }
    func rename(_ text: String, to name: String) throws(AdministrationRefusal) {
        _ = try coordinator.renameNode(text, to: name)
    }
    func revoke(_ text: String) throws(AdministrationRefusal) {
        _ = try coordinator.revokePreAuthKey(text)
    }
    func createKey(
        _ edit: (inout Coordinator.PreAuthKeyOptions) -> Void
    ) throws(AdministrationRefusal) {
        var options = Coordinator.PreAuthKeyOptions()
        edit(&options)
        var random = SeededRandom(state: 1)
        _ = try coordinator.createPreAuthKey(
            user: "anna", options, at: now.wall, random: &random)
    }
}
