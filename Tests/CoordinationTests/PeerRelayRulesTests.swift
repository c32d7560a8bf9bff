import ControlMessages
import Coordination
import NetTypes
import Testing

@Suite("who relays UDP for whom")
struct PeerRelayRulesTests {
    private let relay = "tailscale.com/cap/relay"
    private let target = "tailscale.com/cap/relay-target"

    /// The addresses that hold a capability on a node, as that node is told.
    private func holders(_ capability: String, _ response: MapResponse?) -> [String]? {
        guard let rules = response?.packetFilters?["peer-relays"] ?? nil else { return nil }
        for rule in rules {
            for grant in rule.capabilityGrants where grant.capabilities[capability] != nil {
                #expect(grant.destinations == response?.node?.addresses ?? grant.destinations)
                #expect(rule.destinationPorts.isEmpty, "a capability opens no port")
                return rule.sources
            }
        }
        return []
    }

    private func addresses(_ node: NodeRecord) -> [String] {
        node.addresses.map(\.address.description)
    }

    @Test("without an administrator's word nobody does, and no filter says so")
    func nobody() {
        let network = TestNetwork()
        network.join(1)
        network.join(2)
        #expect(network.map(1).packetFilters?.keys.sorted() == ["base"])
    }

    @Test("a relay for everybody is named to all, and all to it")
    func everybody() throws {
        let network = TestNetwork()
        let node = network.join(1)
        network.join(2)
        _ = network.takeEvents()
        network.store(try network.coordinator.setRelay(ofNode: "host1", for: ["*"]))
        let events = network.takeEvents()
        #expect(events.contains(.relayRulesChanged))
        #expect(holders(relay, network.delta(1, events)) == ["*"])
        #expect(holders(target, network.delta(1, events)) == [])
        #expect(holders(target, network.delta(2, events)) == addresses(node))
        #expect(holders(relay, network.map(1)) == ["*"])
        #expect(holders(target, network.map(2)) == addresses(node))
        // Who joins later is told with the rest.
        network.join(3)
        #expect(holders(target, network.map(3)) == addresses(node))
    }

    @Test("a relay for a user or a tag serves only those, and learns who they are")
    func some() throws {
        let network = TestNetwork()
        let node = network.join(1)
        let tagged = network.join(2) { $0.tags = ["tag:server"] }
        let other = network.join(3)
        network.store(try network.coordinator.setRelay(ofNode: "1", for: ["tag:server"]))
        _ = network.takeEvents()
        #expect(holders(relay, network.map(1)) == addresses(tagged))
        #expect(holders(target, network.map(2)) == addresses(node))
        #expect(holders(target, network.map(3)) == nil)
        let late = network.join(4) { $0.tags = ["tag:server"] }
        let events = network.takeEvents()
        let delta = network.delta(1, events)
        #expect(holders(relay, delta) == addresses(tagged) + addresses(late))
        network.store(try network.coordinator.setRelay(ofNode: "1", for: ["anna"]))
        #expect(holders(relay, network.map(1))?.contains(addresses(other)[0]) == true)
        #expect(holders(target, network.map(2)) == nil)
    }

    @Test("taken back, the rules go away, and so they do with the node")
    func takenBack() throws {
        let network = TestNetwork()
        network.join(1)
        network.join(2)
        network.store(try network.coordinator.setRelay(ofNode: "1", for: ["*"]))
        _ = network.takeEvents()
        network.store(try network.coordinator.setRelay(ofNode: "1", for: []))
        let off = network.delta(2, network.takeEvents())
        #expect(off?.packetFilters == ["peer-relays": nil])
        network.store(try network.coordinator.setRelay(ofNode: "1", for: ["*"]))
        _ = network.takeEvents()
        network.store(try network.coordinator.deleteNode("1"))
        let gone = network.delta(2, network.takeEvents())
        #expect(gone?.packetFilters == ["peer-relays": nil])
    }

    @Test("what is neither user nor tag is refused")
    func refused() {
        let network = TestNetwork()
        network.join(1)
        #expect(throws: AdministrationRefusal.invalidRelayUser("nobody")) {
            try network.coordinator.setRelay(ofNode: "1", for: ["*", "nobody"])
        }
        #expect(throws: AdministrationRefusal.unknownNode("9")) {
            try network.coordinator.setRelay(ofNode: "9", for: ["*"])
        }
    }

    @Test("for whom a node relays is stored with it")
    func stored() throws {
        let network = TestNetwork()
        network.join(1)
        let decision = try network.coordinator.setRelay(ofNode: "1", for: ["anna", "anna"])
        #expect(decision.reply.relaysFor == ["anna"])
        let change = try #require(decision.changes.first)
        let again = try Change(jsonBytes: change.jsonBytes)
        #expect(again == change)
    }
}
