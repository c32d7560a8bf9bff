import ControlMessages
import NetTypes
import NodeCore
import Testing

@Suite("peer relays in the network map")
struct RelayGrantsTests {
    private func node(_ id: UInt8, version: Int = 121) -> Node {
        var node = Node(
            id: NodeID(Int64(id)), stableID: "n\(id)", name: "node\(id).example.", user: UserID(1),
            key: NodeKey(Bytes32([UInt8](repeating: id, count: 32))))
        node.addresses = ["100.64.0.\(id)/32", "fd7a:115c:a1e0::\(id)/128"].map { IPPrefix($0)! }
        node.discoKey = DiscoKey(Bytes32([UInt8](repeating: id, count: 32)))
        node.homeDERP = 1
        node.capabilityVersion = version
        return node
    }

    private func grant(
        _ capability: String, to sources: [String], on destinations: [String]
    ) -> FilterRule {
        FilterRule(
            sources: sources,
            capabilityGrants: [
                CapabilityGrant(
                    destinations: destinations.map { IPPrefix($0)! },
                    capabilities: [capability: []])
            ])
    }

    /// The roles of a peer with ID 2 for a node with ID 1.
    private func roles(
        _ rules: [FilterRule], version: Int = 121, attributes: CapabilityMap = [:],
        shieldsUp: Bool = false
    ) -> PeerRelayRoles? {
        var response = MapResponse()
        response.node = node(1)
        response.node?.capabilities = attributes
        response.peers = [node(2, version: version)]
        response.packetFilters = ["base": [.allowAll], "peer-relays": rules]
        var map = NetworkMap()
        let now = Timestamp(unixSeconds: 1_800_000_000)
        _ = map.apply(response, now: now)
        return DesiredConfiguration(
            map: map, settings: NodeSettings(shieldsUp: shieldsUp), now: now
        ).peers.first?.relayRoles
    }

    private let target = "tailscale.com/cap/relay-target"
    private let relay = "tailscale.com/cap/relay"

    @Test("a peer relays for us, or may use our relay, by its address and ours")
    func granted() {
        let own = ["100.64.0.1/32"]
        #expect(roles([]) == [.canBeRelayed])
        #expect(
            roles([grant(target, to: ["100.64.0.2"], on: own)]) == [.canBeRelayed, .relaysForUs])
        #expect(
            roles([grant(relay, to: ["*"], on: own)]) == [.canBeRelayed, .mayUseOurs])
        #expect(
            roles([
                grant(relay, to: ["fd7a:115c:a1e0::2"], on: ["fd7a:115c:a1e0::1/128"]),
                grant(target, to: ["100.64.0.0/24"], on: own),
            ]) == [.canBeRelayed, .relaysForUs, .mayUseOurs])
    }

    @Test("others' capabilities, on others or of others, say nothing")
    func notGranted() {
        let own = ["100.64.0.1/32"]
        #expect(roles([grant(target, to: ["100.64.0.3"], on: own)]) == [.canBeRelayed])
        #expect(roles([grant(target, to: ["*"], on: ["100.64.0.3/32"])]) == [.canBeRelayed])
        #expect(roles([grant("example.com/cap/x", to: ["*"], on: own)]) == [.canBeRelayed])
        #expect(roles([grant(target, to: ["nonsense"], on: own)]) == [.canBeRelayed])
        #expect(roles([grant(target, to: ["*"], on: own)], shieldsUp: true) == [.canBeRelayed])
    }

    @Test("a peer that does not know the protocol has no part in it")
    func old() {
        #expect(roles([grant(target, to: ["*"], on: ["100.64.0.1/32"])], version: 120) == [])
    }

    @Test("where relays are not to be used, ours may be all the same")
    func disabled() {
        let rules = [
            grant(target, to: ["*"], on: ["100.64.0.1/32"]),
            grant(relay, to: ["*"], on: ["100.64.0.1/32"]),
        ]
        #expect(roles(rules, attributes: ["disable-relay-client": []]) == [.mayUseOurs])
    }
}
