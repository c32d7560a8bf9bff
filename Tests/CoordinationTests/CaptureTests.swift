import ControlMessages
import Coordination
import NetTypes
import Testing

/// The recorded requests of two official clients, answered by our server: the answers have the
/// shape of the recorded ones.
@Suite struct CaptureTests {
    private static let authKey = "hskey-auth-TESTONLY-0000"

    private func settings(_ settings: inout CoordinationSettings) {
        settings.serverURL = "http://10.99.0.1:8080"
        settings.baseDomain = "rig.example"
        let recorded = try! MapResponse(json: captured("node-a-04-MapResponse"))
        settings.derpMap = recorded.derpMap!
    }

    private func server() -> TestNetwork {
        let network = TestNetwork(settings)
        var options = Coordinator.PreAuthKeyOptions()
        options.isReusable = true
        let decision = try! network.coordinator.createPreAuthKey(
            user: "anna", options, imported: Self.authKey, at: network.now.wall,
            random: &network.random)
        network.store(decision)
        return network
    }

    @Test func theRecordedConversationWorksAgainstOurServer() throws {
        let network = server()
        let machines = ["node-a": machineKey(1), "node-b": machineKey(2)]
        for name in ["node-a", "node-b"] {
            let machine = machines[name]!
            let request = try RegisterRequest(json: captured("\(name)-00-RegisterRequest"))
            let reply = network.store(
                network.coordinator.register(
                    request, from: machine, capabilityVersion: 133, at: network.now,
                    random: &network.random))
            guard case .respond(let response) = reply else {
                Issue.record("expected an answer")
                return
            }
            #expect(response.error == "")
            let recorded = captured("\(name)-01-RegisterResponse")
            #expect(
                names(try #require(json(response).object)) == names(try #require(recorded.object)))

            for file in ["02", "03", "05", name == "node-a" ? "08" : "09"] {
                let request = try MapRequest(json: captured("\(name)-\(file)-MapRequest"))
                let decision = try network.coordinator.update(
                    request, from: machine, capabilityVersion: 133)
                let id = network.store(decision)
                if request.isStreaming {
                    network.events += network.coordinator.sessionBegan(of: id)
                }
            }
        }
        // What node-b is told in the end about node-a.
        let map = network.coordinator.map(for: NodeID(2), at: network.now)
        let ours = try #require(map)
        let recorded = try MapResponse(json: captured("node-b-04-MapResponse"))
        #expect(ours.derpMap == recorded.derpMap)
        #expect(ours.dnsConfig == recorded.dnsConfig)
        #expect(ours.packetFilters == recorded.packetFilters)
        let own = try #require(ours.node)
        let last = try MapResponse(json: captured("node-b-12-MapResponse"))
        let recordedOwn = try #require(last.node)
        #expect(own.name == recordedOwn.name)
        #expect(own.addresses == recordedOwn.addresses)
        #expect(own.allowedIPs == recordedOwn.allowedIPs)
        #expect(own.capabilities == recordedOwn.capabilities)
        #expect(own.endpoints == recordedOwn.endpoints)
        #expect(own.homeDERP == recordedOwn.homeDERP)
        #expect(names(json(own).object!) == names(json(recordedOwn).object!))

        let peer = try #require(ours.peers?.first)
        let beforeLast = try MapResponse(json: captured("node-b-11-MapResponse"))
        let recordedPeer = try #require(beforeLast.peersChanged?.first)
        #expect(peer.name == recordedPeer.name && peer.key == recordedPeer.key)
        #expect(peer.discoKey == recordedPeer.discoKey && peer.isOnline == true)
        #expect(peer.endpoints == recordedPeer.endpoints && peer.homeDERP == 999)
        #expect(peer.hostinfo?.services == recordedPeer.hostinfo?.services)
        // Machine keys and authorisation concern the node itself only.
        let expected = names(json(recordedPeer).object!).subtracting([
            "Machine", "MachineAuthorized",
        ])
        #expect(names(json(peer).object!) == expected)
    }

    private func json(_ value: some JSONWritable) -> JSON {
        try! JSON(parsing: value.jsonBytes)
    }
    private func names(_ object: JSONObject) -> Set<String> {
        Set(object.members.map(\.name))
    }
}
