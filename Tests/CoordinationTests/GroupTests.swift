import ControlMessages
import Coordination
import NetTypes
import Testing

@Suite struct GroupTests {
    @Test("Groups are made, filled, emptied and removed")
    func whole() throws {
        let network = TestNetwork()
        network.store(try network.coordinator.createGroup(name: "ops", at: network.now.wall))
        #expect(throws: AdministrationRefusal.groupExists("ops")) {
            try network.coordinator.createGroup(name: "ops", at: network.now.wall)
        }
        #expect(throws: AdministrationRefusal.invalidGroupName("a b")) {
            try network.coordinator.createGroup(name: "a b", at: network.now.wall)
        }
        for user in ["ben", "anna", "ben"] {
            network.store(try network.coordinator.addToGroup(name: "ops", user: user))
        }
        var state: CoordinationState { network.coordinator.state }
        #expect(state.members(ofGroup: "group:ops").map(\.name) == ["anna", "ben"])
        #expect(state.groups(of: state.user(name: "anna")!) == ["ops"])
        let group = try #require(state.groups["ops"])
        #expect(try GroupRecord(jsonBytes: group.jsonBytes) == group)
        network.store(try network.coordinator.removeFromGroup(name: "ops", user: "anna"))
        #expect(throws: AdministrationRefusal.notInGroup("anna", group: "ops")) {
            try network.coordinator.removeFromGroup(name: "ops", user: "anna")
        }
        // A user who goes is in no group any more, and nobody gets the number again.
        network.store(try network.coordinator.deleteUser(name: "ben"))
        #expect(state.members(ofGroup: "ops").isEmpty && state.groups["ops"]?.members == [])
        network.store(try network.coordinator.deleteGroup(name: "ops"))
        #expect(throws: AdministrationRefusal.unknownGroup("ops")) {
            try network.coordinator.deleteGroup(name: "ops")
        }
    }

    @Test("What a provider tells of groups counts beside those set here")
    func provider() throws {
        let network = TestNetwork()
        var anna = network.coordinator.state.user(name: "anna")!
        anna.groups = ["staff"]
        network.store(Decision((), changes: [.user(anna)]))
        network.store(try network.coordinator.createGroup(name: "staff", at: network.now.wall))
        network.store(try network.coordinator.addToGroup(name: "staff", user: "ben"))
        let state = network.coordinator.state
        #expect(state.members(ofGroup: "staff").map(\.name) == ["anna", "ben"])
    }

    @Test("The log tells of each step")
    func audit() throws {
        let network = TestNetwork()
        func entries(_ changes: [Change]) -> [String] {
            network.coordinator.state.auditEntries(
                of: changes, by: .commandLine, at: network.now.wall
            ).map { "\($0.action.rawValue) \($0.object) \($0.detail)" }
        }
        let made = try network.coordinator.createGroup(name: "ops", at: network.now.wall)
        #expect(entries(made.changes) == ["group.create group ops "])
        network.store(made)
        let added = try network.coordinator.addToGroup(name: "ops", user: "anna")
        #expect(entries(added.changes) == ["group.add group ops user anna"])
        network.store(added)
        let removed = try network.coordinator.removeFromGroup(name: "ops", user: "anna")
        #expect(entries(removed.changes) == ["group.take-out group ops user anna"])
        #expect(
            entries(try network.coordinator.deleteGroup(name: "ops").changes)
                == ["group.remove group ops "])
        #expect(entries([.auditPruned(network.now.wall)])[0].hasPrefix("audit.prune audit log"))
    }

    @Test("An identity is linked and unlinked on purpose")
    func unlink() throws {
        let network = TestNetwork()
        let identity = UserIdentity(provider: "work", subject: "42")
        #expect(throws: AdministrationRefusal.unknownIdentity("anna")) {
            try network.coordinator.unlinkUser(name: "anna", from: identity)
        }
        network.store(try network.coordinator.linkUser(name: "anna", with: identity))
        let unlinked = try network.coordinator.unlinkUser(name: "anna", from: identity)
        let entries = network.coordinator.state.auditEntries(
            of: unlinked.changes, by: .commandLine, at: network.now.wall)
        #expect(entries.map(\.action) == [.identityUnlinked])
        network.store(unlinked)
        #expect(network.coordinator.state.user(identity: identity) == nil)
    }
}
