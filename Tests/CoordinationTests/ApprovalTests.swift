import ControlMessages
import Coordination
import NetTypes
import Testing

@Suite struct ApprovalTests {
    private func network() -> TestNetwork { TestNetwork { $0.requiresApproval = true } }

    private func joined(
        _ network: TestNetwork, _ number: Int, _ name: String, preApproved: Bool = false
    ) -> RegisterResponse {
        var options = Coordinator.PreAuthKeyOptions()
        options.isPreApproved = preApproved
        let key = network.store(
            try! network.coordinator.createPreAuthKey(
                user: "anna", options, at: network.now.wall, random: &network.random)
        ).text
        var request = RegisterRequest(nodeKey: nodeKey(number))
        request.hostinfo = hostinfo(name)
        request.authKey = key
        let reply = network.store(
            network.coordinator.register(
                request, from: machineKey(number), capabilityVersion: 113,
                at: network.now, random: &network.random))
        guard case .respond(let response) = reply else { return RegisterResponse() }
        return response
    }

    private func node(_ network: TestNetwork, _ name: String) -> NodeRecord {
        network.coordinator.state.node(name: name)!
    }

    private func map(_ network: TestNetwork, _ name: String) -> MapResponse {
        network.coordinator.map(for: node(network, name).id, at: network.now)!
    }

    @Test("A new node waits, sees nobody and is seen by nobody, until it is approved")
    func waits() throws {
        let network = network()
        let first = joined(network, 1, "first", preApproved: true)
        #expect(first.isMachineAuthorized && first.error.isEmpty)
        network.events = []
        let second = joined(network, 2, "second")
        #expect(!second.isMachineAuthorized && second.authURL.isEmpty && second.error.isEmpty)
        #expect(second.login.loginName == "anna")
        var pending = PendingChanges()
        for event in network.events { pending.note(event, viewer: node(network, "first").id) }
        let nothing = network.coordinator.delta(
            for: node(network, "first").id, pending, at: network.now)
        #expect(nothing == nil)
        #expect(map(network, "first").peers == nil)
        let own = map(network, "second")
        #expect(own.node?.isMachineAuthorized == false && own.peers == nil)
        #expect(own.packetFilters?["base"] == [FilterRule]())

        network.events = []
        network.store(try network.coordinator.approveNode("second"))
        var theirs = PendingChanges()
        var ours = PendingChanges()
        for event in network.events {
            theirs.note(event, viewer: node(network, "first").id)
            ours.note(event, viewer: node(network, "second").id)
        }
        let told = network.coordinator.delta(
            for: node(network, "first").id, theirs, at: network.now)
        #expect(told?.peersChanged?.map(\.key) == [nodeKey(2)])
        let whole = network.coordinator.delta(
            for: node(network, "second").id, ours, at: network.now)
        #expect(whole?.node?.isMachineAuthorized == true)
        #expect(whole?.peers?.map(\.key) == [nodeKey(1)])
        #expect(whole?.packetFilters?["base"] == [.allowAll])
    }

    @Test(
        "An approved node stays approved when it logs in anew, and one that waits goes on waiting")
    func again() throws {
        let network = network()
        _ = joined(network, 1, "web")
        network.advance(by: .minutes(1))
        #expect(!joined(network, 1, "web").isMachineAuthorized)
        network.store(try network.coordinator.approveNode("web"))
        #expect(joined(network, 1, "web").isMachineAuthorized)
        #expect(try NodeRecord(jsonBytes: node(network, "web").jsonBytes) == node(network, "web"))
        // A pre-approving key approves what waited.
        _ = joined(network, 2, "db")
        #expect(joined(network, 2, "db", preApproved: true).isMachineAuthorized)
    }

    @Test("Of a node that is removed before it was approved nobody hears")
    func removed() throws {
        let network = network()
        _ = joined(network, 1, "first", preApproved: true)
        _ = joined(network, 2, "second")
        #expect(try NodeRecord(jsonBytes: node(network, "second").jsonBytes).awaitsApproval)
        let viewer = node(network, "first").id
        network.events = []
        network.store(try network.coordinator.deleteNode("second"))
        var pending = PendingChanges()
        for event in network.events { pending.note(event, viewer: viewer) }
        let nothing = network.coordinator.delta(for: viewer, pending, at: network.now)
        #expect(nothing == nil)
    }

    @Test("A waiting node relays for nobody")
    func relays() throws {
        let network = network()
        _ = joined(network, 1, "first", preApproved: true)
        _ = joined(network, 2, "relay")
        network.store(try network.coordinator.setRelay(ofNode: "relay", for: ["*"]))
        let viewer = node(network, "first").id
        func filters() -> [String] {
            network.coordinator.map(for: viewer, at: network.now)!.packetFilters!.keys.sorted()
        }
        #expect(filters() == ["base"])
        network.events = []
        network.store(try network.coordinator.approveNode("relay"))
        #expect(network.events.contains(.relayRulesChanged))
        #expect(filters() == ["base", "peer-relays"])
    }

    @Test("Without the setting nobody waits")
    func off() {
        #expect(joined(TestNetwork(), 1, "web").isMachineAuthorized)
    }
}
