import ControlMessages
import NetTypes
import Testing

@Suite struct NetworkMapTests {
    private let now = Timestamp(unixSeconds: 1_000)

    private func node(_ id: Int64, _ edit: (inout Node) -> Void = { _ in }) -> Node {
        var key: [UInt8] = Array(repeating: 0, count: 32)
        key[0] = UInt8(id)
        var node = Node(
            id: NodeID(id), stableID: "\(id)", name: "n\(id).example.", user: UserID(1),
            key: NodeKey(Bytes32(key)))
        edit(&node)
        return node
    }

    private func map(peers: [Node]) -> NetworkMap {
        var map = NetworkMap()
        var response = MapResponse()
        response.node = node(100)
        response.peers = peers
        _ = map.apply(response, now: now)
        return map
    }

    @Test(arguments: ["node-a", "node-b"])
    func capturedMessagesEndInTheRightPeers(name: String) throws {
        var map = NetworkMap()
        for message in Capture.messages(of: name, kind: "MapResponse") {
            _ = map.apply(try MapResponse(jsonBytes: message.bytes), now: now)
        }
        let isA = name == "node-a"
        let peer = try #require(map.sortedPeers.first)
        #expect(map.peers.count == 1)
        #expect(map.selfNode?.id == NodeID(isA ? 1 : 2))
        #expect(peer.id == NodeID(isA ? 2 : 1))
        #expect(peer.name == (isA ? "node-b.rig.example." : "node-a.rig.example."))
        #expect(peer.homeDERP == 999)
        #expect(peer.isOnline == true)
        #expect(peer.endpoints == [Endpoint(isA ? "10.99.0.3:41641" : "10.99.0.2:41641")!])
        #expect(map.derpMap.regions?[999]?.nodes.first?.derpPort == 8080)
        #expect(map.filterRules == [.allowAll])
        #expect(map.magicDNSSuffix == "rig.example")
        #expect(map.userProfiles[UserID(1)]?.loginName == "rig")
        #expect(map.dnsConfig.isProxied)
    }

    @Test func aFullListReplacesAllPeersAndOverrulesOtherLists() {
        var map = map(peers: [node(1), node(2)])
        var response = MapResponse()
        response.peers = [node(2), node(3)]
        response.peersRemoved = [NodeID(3)]
        response.peersChanged = [node(4)]
        response.onlineChange = [NodeID(2): true]
        var patch = PeerChange(nodeID: NodeID(3))
        patch.homeDERP = 7
        response.peersChangedPatch = [patch]
        let changes = map.apply(response, now: now)
        #expect(map.sortedPeers.map(\.id) == [NodeID(2), NodeID(3)])
        #expect(map.peers[NodeID(2)]?.isOnline == nil)
        #expect(map.peers[NodeID(3)]?.homeDERP == 7)
        #expect(changes.changedPeers == [NodeID(3)])
        #expect(changes.removedPeers == [NodeID(1)])
    }

    @Test func anEmptyListOfPeersMeansUnchanged() {
        var map = map(peers: [node(1)])
        var response = MapResponse()
        response.peers = []
        let changes = map.apply(response, now: now)
        #expect(changes.isEmpty)
        #expect(map.peers.count == 1)
    }

    @Test func deltasApplyInTheOrderOfTheOfficialClient() {
        var map = map(peers: [node(1), node(2), node(3)])
        var response = MapResponse()
        response.peersRemoved = [NodeID(1), NodeID(2), NodeID(77)]
        response.peersChanged = [node(2) { $0.homeDERP = 1 }]
        response.peerSeenChange = [NodeID(2): true, NodeID(3): true]
        response.onlineChange = [NodeID(2): false, NodeID(78): true]
        var patch = PeerChange(nodeID: NodeID(2))
        patch.isOnline = true
        patch.homeDERP = 5
        var unknown = PeerChange(nodeID: NodeID(1))
        unknown.homeDERP = 9
        response.peersChangedPatch = [patch, unknown]
        let changes = map.apply(response, now: now)
        #expect(map.sortedPeers.map(\.id) == [NodeID(2), NodeID(3)])
        let two = map.peers[NodeID(2)]
        #expect(two?.homeDERP == 5)
        #expect(two?.isOnline == true)
        #expect(two?.lastSeen == now)
        #expect(changes.changedPeers == [NodeID(2), NodeID(3)])
        #expect(changes.removedPeers == [NodeID(1)])
    }

    @Test func aPatchChangesWhatItNames() {
        var map = map(peers: [
            node(1) {
                $0.endpoints = [Endpoint("192.0.2.1:1")!]
                $0.keyExpiry = Timestamp(unixSeconds: 5)
                $0.capabilityVersion = 113
            }
        ])
        var patch = PeerChange(nodeID: NodeID(1))
        patch.endpoints = [Endpoint("192.0.2.2:2")!]
        patch.keyExpiry = .zero
        patch.key = NodeKey(Bytes32(Array(repeating: 9, count: 32)))
        var response = MapResponse()
        response.peersChangedPatch = [patch]
        _ = map.apply(response, now: now)
        let peer = map.peers[NodeID(1)]
        #expect(peer?.endpoints == [Endpoint("192.0.2.2:2")!])
        #expect(peer?.keyExpiry.isZero == true)
        #expect(peer?.key == patch.key)
        #expect(peer?.capabilityVersion == 113)
    }

    @Test func repeatingAMessageChangesNothing() throws {
        var map = NetworkMap()
        for message in Capture.messages(of: "node-b", kind: "MapResponse") {
            let response = try MapResponse(jsonBytes: message.bytes)
            _ = map.apply(response, now: now)
            let again = map.apply(response, now: now)
            #expect(again.isEmpty)
        }
    }

    @Test func namedFiltersAreMergedInOrderOfTheirNames() {
        var map = NetworkMap()
        var response = MapResponse()
        let rules = ["a", "b", "c"].map { FilterRule(sources: [$0]) }
        response.packetFilter = [rules[1]]
        response.packetFilters = ["zone": [rules[2]], "alpha": [rules[0]]]
        _ = map.apply(response, now: now)
        #expect(map.filterRules == rules)
        response = MapResponse()
        response.packetFilters = ["zone": nil]
        let changes = map.apply(response, now: now)
        #expect(map.filterRules == [rules[0], rules[1]])
        #expect(changes.isFilterChanged)
        response.packetFilters = ["*": nil, "base": []]
        _ = map.apply(response, now: now)
        #expect(map.filterRules.isEmpty)
    }

    @Test func partsThatAreAbsentStay() throws {
        let messages = Capture.messages(of: "node-a", kind: "MapResponse")
        var map = NetworkMap()
        let first = map.apply(try MapResponse(jsonBytes: messages[0].bytes), now: now)
        #expect(first.isSelfChanged && first.isDERPMapChanged && first.isDNSChanged)
        #expect(first.isFilterChanged && first.isOtherChanged)
        let full = map
        var empty = MapResponse()
        empty.derpMap = DERPMap(regions: nil)
        let changes = map.apply(empty, now: now)
        #expect(changes.isEmpty)
        #expect(map == full)
    }

    @Test func displayMessagesArePatched() {
        var map = NetworkMap()
        let message = DisplayMessage(title: "t", text: "x", severity: "low")
        var response = MapResponse()
        response.displayMessages = ["a": message, "b": message]
        _ = map.apply(response, now: now)
        response.displayMessages = ["a": nil]
        _ = map.apply(response, now: now)
        #expect(map.displayMessages == ["b": message])
        response.displayMessages = ["*": nil, "c": message]
        _ = map.apply(response, now: now)
        #expect(map.displayMessages == ["c": message])
    }

    @Test func peersWithoutIDOrKeyAreLeftOut() {
        let map = map(peers: [node(0), node(1) { $0.key = .zero }, node(2)])
        #expect(map.sortedPeers.map(\.id) == [NodeID(2)])
    }

    @Test func keepalivesOnlyTellTheTime() {
        var map = map(peers: [node(1)])
        var response = MapResponse.keepAlive
        response.controlTime = Timestamp(unixSeconds: 77)
        response.peersRemoved = [NodeID(1)]
        let changes = map.apply(response, now: now)
        #expect(changes.isEmpty)
        #expect(map.peers.count == 1)
        #expect(map.controlTime == Timestamp(unixSeconds: 77))
    }
}
