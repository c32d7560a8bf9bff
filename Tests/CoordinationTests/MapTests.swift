import ControlMessages
import Coordination
import NetTypes
import Testing

@Suite struct MapTests {
    @Test func theFirstMapHasWhatAClientNeedsToRun() throws {
        let network = TestNetwork()
        network.join(1)
        network.join(2, user: "ben")
        network.connect(1)
        network.connect(2)
        let map = network.map(1)
        let own = try #require(map.node)
        #expect(own.isMachineAuthorized)
        #expect(own.key == nodeKey(1))
        #expect(own.name == "host1.mesh.example.")
        #expect(own.stableID == "1")
        #expect(own.addresses == [IPPrefix("100.64.0.1/32")!, IPPrefix("fd7a:115c:a1e0::1/128")!])
        #expect(map.peers?.map(\.id) == [NodeID(2)])
        #expect(map.peers?.first?.isOnline == true)
        #expect(map.packetFilters == ["base": [.allowAll]])
        #expect(map.userProfiles?.map(\.loginName) == ["anna", "ben"])
        #expect(map.controlTime == network.now.wall)
        #expect(map.debug?.disablesLogUpload == true)
    }

    @Test func aNodeAloneIsSentNoListOfPeers() {
        let network = TestNetwork()
        network.join(1)
        #expect(network.map(1).peers == nil)
    }

    @Test func aNewPeerIsSentWhole() {
        let network = TestNetwork()
        network.join(1)
        _ = network.takeEvents()
        network.join(2, user: "ben")
        let delta = network.delta(1, network.takeEvents())
        #expect(delta?.peersChanged?.map(\.name) == ["host2.mesh.example."])
        #expect(delta?.userProfiles?.map(\.loginName) == ["ben"])
        #expect(delta?.node == nil && delta?.peers == nil && delta?.peersRemoved == nil)
    }

    @Test func endpointsHomeAndPresenceGoOutAsPatches() {
        let network = TestNetwork()
        network.join(1)
        network.join(2)
        network.tell(2) { $0.endpoints = [] }
        _ = network.takeEvents()
        network.connect(2)
        network.tell(2) {
            $0.endpoints = [Endpoint("192.0.2.7:41641")!]
            var netInfo = NetInfo()
            netInfo.preferredDERP = 999
            var told = hostinfo("host2")
            told.netInfo = netInfo
            $0.hostinfo = told
        }
        let events = network.takeEvents()
        var expected = PeerChange(nodeID: NodeID(2))
        expected.endpoints = [Endpoint("192.0.2.7:41641")!]
        expected.homeDERP = 999
        expected.isOnline = true
        let delta = network.delta(1, events)
        #expect(delta?.peersChangedPatch == [expected])
        #expect(delta?.peersChanged == nil && delta?.node == nil && delta?.derpMap == nil)
        // The node itself is not sent its own endpoints.
        #expect(network.delta(2, events) == nil)
    }

    @Test func latenciesAreNoNewsToPeers() {
        let network = TestNetwork()
        network.join(1)
        network.join(2)
        func report(_ latency: Double) -> Hostinfo {
            var netInfo = NetInfo()
            netInfo.preferredDERP = 999
            netInfo.regionLatency = ["999-v4": latency]
            var told = hostinfo("host2")
            told.netInfo = netInfo
            return told
        }
        network.tell(2) { $0.hostinfo = report(0.1) }
        _ = network.takeEvents()
        network.tell(2) { $0.hostinfo = report(0.2) }
        #expect(network.takeEvents().isEmpty)
        #expect(network.record(2)?.hostinfo.netInfo?.regionLatency == ["999-v4": 0.2])
    }

    @Test func peersAreNotShownWhatConcernsTheServerAlone() throws {
        let network = TestNetwork()
        network.join(1)
        network.join(2)
        network.tell(2) {
            var told = hostinfo("host2")
            told.backendLogID = "secret"
            told.members["SomethingNew"] = .array([.number("1.50")])
            told.services = [Service(proto: "peerapi4", port: 1)]
            told.netInfo = NetInfo()
            $0.hostinfo = told
        }
        let shown = try #require(network.map(1).peers?.first?.hostinfo)
        #expect(
            shown.members.members.map(\.name) == ["Hostname", "OS", "SomethingNew", "Services"])
        #expect(network.map(2).node?.hostinfo?.backendLogID == "secret")
    }

    @Test func theNetworkReportOfBeforeIsKeptWhenNoneIsSent() {
        let network = TestNetwork()
        network.join(1)
        network.tell(1) {
            var told = hostinfo("host1")
            told.netInfo = NetInfo(JSONObject([.init("PreferredDERP", .number("7"))]))
            $0.hostinfo = told
        }
        network.tell(1) { $0.hostinfo = hostinfo("host1") }
        #expect(network.record(1)?.homeDERP == 7)
        #expect(network.record(1)?.hostinfo.netInfo?.preferredDERP == 7)
    }

    @Test func aNewDiscoKeyMakesOldEndpointsVoidAndIsPatched() {
        let network = TestNetwork()
        network.join(1)
        network.join(2)
        network.tell(2) { $0.endpoints = [Endpoint("192.0.2.7:1")!] }
        _ = network.takeEvents()
        network.tell(2) {
            $0.discoKey = discoKey(77)
            $0.endpoints = [Endpoint("192.0.2.7:2")!]
        }
        let patch = network.delta(1, network.takeEvents())?.peersChangedPatch?.first
        #expect(patch?.discoKey == discoKey(77))
        #expect(patch?.endpoints == [Endpoint("192.0.2.7:2")!])
        network.tell(2) { $0.discoKey = discoKey(78) }
        // Endpoints cannot be emptied by a patch.
        let delta = network.delta(1, network.takeEvents())
        #expect(delta?.peersChanged?.first?.endpoints == [])
        // A request without endpoints leaves them as they are.
        network.tell(2) {
            $0.discoKey = discoKey(78)
            $0.endpoints = [Endpoint("192.0.2.7:3")!]
        }
        network.tell(2) { $0.discoKey = discoKey(78) }
        #expect(network.record(2)?.endpoints == [Endpoint("192.0.2.7:3")!])
    }

    @Test func aRemovedPeerIsRemovedEvenWhenItWasTheLast() throws {
        let network = TestNetwork()
        network.join(1)
        network.join(2)
        _ = network.takeEvents()
        network.store(try network.coordinator.deleteNode("host2"))
        let delta = network.delta(1, network.takeEvents())
        #expect(delta?.peersRemoved == [NodeID(2)])
        #expect(delta?.peers == nil)
    }

    @Test func aRemovedNodeIsToldThatItsKeyExpired() throws {
        let network = TestNetwork()
        let node = network.join(1)
        _ = network.takeEvents()
        network.store(try network.coordinator.deleteNode("1"))
        var pending = PendingChanges()
        for event in network.takeEvents() { pending.note(event, viewer: node.id) }
        let removal = try #require(pending.ownRemoval)
        let farewell = network.coordinator.farewell(to: removal, at: network.now)
        #expect(farewell.node?.keyExpiry == network.now.wall)
        #expect(farewell.node?.key == nodeKey(1))
    }

    @Test func manyChangesOfAPeerAreSentOnceWithTheLatestState() {
        let network = TestNetwork()
        network.join(1)
        network.join(2)
        _ = network.takeEvents()
        for port in 1...100 {
            network.tell(2) { $0.endpoints = [Endpoint("192.0.2.7:\(port)")!] }
        }
        let delta = network.delta(1, network.takeEvents())
        #expect(delta?.peersChangedPatch?.count == 1)
        #expect(delta?.peersChangedPatch?.first?.endpoints == [Endpoint("192.0.2.7:100")!])
    }

    @Test func anExpiredPeerLosesItsPathsAndAnExpiredNodeItsPeers() throws {
        let network = TestNetwork { $0.keyLifetime = .minutes(60) }
        network.join(1) { $0.tags = ["tag:x"] }
        network.join(2)
        network.tell(2) { $0.endpoints = [Endpoint("192.0.2.7:1")!] }
        _ = network.takeEvents()
        network.advance(by: .minutes(61))
        let events = network.takeEvents()
        let peer = try #require(network.delta(1, events)?.peersChanged?.first)
        #expect(peer.isExpired && peer.endpoints == nil)
        #expect(network.map(2).peers == nil)
        #expect(network.map(2).packetFilters == ["base": []])
        // It is announced once.
        network.advance(by: .minutes(61))
        #expect(network.takeEvents().isEmpty)
    }

    @Test("Keys that expired because the clock ran years ahead are good again once it is set back")
    func aClockSetBackRevivesWhatItExpired() throws {
        let network = TestNetwork { $0.keyLifetime = .minutes(60) }
        network.join(1)
        network.join(2)
        network.connect(1)
        network.connect(2)
        _ = network.takeEvents()
        let years = Nanoseconds.minutes(5 * 365 * 24 * 60)
        network.now.wall = network.now.wall + years
        network.advance(by: .seconds(1))
        let ahead = network.takeEvents()
        #expect(network.delta(1, ahead)?.peersChanged == nil)
        #expect(network.map(1).peers == nil)
        network.now.wall = network.now.wall + Nanoseconds(count: -years.count)
        network.advance(by: .seconds(1))
        let back = network.takeEvents()
        let whole = try #require(network.delta(1, back))
        #expect(whole.node?.key == nodeKey(1))
        #expect(whole.peers?.map(\.key) == [nodeKey(2)])
        #expect(whole.peers?.first?.isExpired == false)
        #expect(whole.packetFilters?["base"]??.isEmpty == false)
        // It is said once, and the expiry is announced again when its time really comes.
        network.advance(by: .seconds(1))
        #expect(network.takeEvents().isEmpty)
        network.advance(by: .minutes(61))
        #expect(network.takeEvents().count == 2)
    }

    @Test func aKeyThatAnAdministratorExpiredEarlierStaysExpiredWhenTheClockIsSetBack() throws {
        let network = TestNetwork()
        network.join(1)
        network.join(2)
        network.store(try network.coordinator.expireNode("host2", now: network.now.wall))
        network.advance(by: .minutes(1))
        _ = network.takeEvents()
        network.now.wall = network.now.wall + Nanoseconds(count: -Nanoseconds.seconds(30).count)
        network.advance(by: .seconds(1))
        #expect(network.takeEvents().isEmpty)
    }

    @Test func anAdministratorsExpiryReachesTheNodeAtOnce() throws {
        let network = TestNetwork()
        network.join(1)
        network.join(2)
        _ = network.takeEvents()
        network.store(try network.coordinator.expireNode("host2", now: network.now.wall))
        let events = network.takeEvents()
        #expect(network.delta(2, events)?.node?.keyExpiry == network.now.wall)
        #expect(network.delta(1, events)?.peersChanged?.first?.isExpired == true)
    }

    @Test func aRenamedUserIsTold() throws {
        let network = TestNetwork()
        network.join(1)
        var user = network.coordinator.state.user(name: "anna")!
        user.displayName = "Anna A."
        _ = network.takeEvents()
        network.store(Decision((), changes: [.user(user)]))
        let delta = network.delta(1, network.takeEvents())
        #expect(delta?.userProfiles?.map(\.displayName) == ["Anna A."])
    }

    @Test func nodesWithoutEventsAreSentNothing() {
        let network = TestNetwork()
        network.join(1)
        #expect(network.delta(1, []) == nil)
    }

    @Test func requestsOfStrangersAreRefused() {
        let network = TestNetwork()
        network.join(1)
        let refusals: [(Int, Int, Int, MapRefusal)] = [
            (2, 1, 133, .unknownNode), (1, 2, 133, .machineKeyMismatch),
            (1, 1, 100, .clientTooOld(capabilityVersion: 100)),
        ]
        for (key, machine, version, expected) in refusals {
            #expect(throws: expected) { try network.ask(key, machine, version) }
            #expect(expected.httpStatus >= 400)
        }
    }

    /// A client that gets the first map and then every delta knows what a new map would tell it.
    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func deltasLeadToTheSameMapAsStartingAnew(seed: UInt64) throws {
        var random = SeededRandom(state: seed)
        let network = TestNetwork { $0.keyLifetime = .minutes(60) }
        network.join(1) { $0.tags = ["tag:watcher"] }
        network.connect(1)
        var client = NetworkMap()
        _ = client.apply(network.map(1), now: network.now.wall)
        var pending = PendingChanges()
        _ = network.takeEvents()
        var next = 2
        for _ in 0..<200 {
            network.act(&next, &random)
            for event in network.takeEvents() { pending.note(event, viewer: NodeID(1)) }
            guard Bool.random(using: &random) else { continue }
            if let delta = network.coordinator.delta(for: NodeID(1), pending, at: network.now) {
                let bytes = delta.jsonBytes
                _ = client.apply(try MapResponse(jsonBytes: bytes), now: network.now.wall)
            }
            pending = PendingChanges()
            var fresh = NetworkMap()
            let bytes = network.map(1).jsonBytes
            _ = fresh.apply(try MapResponse(jsonBytes: bytes), now: network.now.wall)
            let known = client.sortedPeers.map(comparable)
            let expected = fresh.sortedPeers.map(comparable)
            #expect(known == expected, "seed \(seed)")
            if known != expected { return }
            #expect(client.selfNode?.name == fresh.selfNode?.name)
        }
    }

    /// A patch cannot take back LastSeen; clients look at it only for peers that are offline.
    private func comparable(_ node: Node) -> Node {
        var node = node
        if node.isOnline == true { node.lastSeen = nil }
        return node
    }
}

extension TestNetwork {
    func ask(_ key: Int, _ machine: Int, _ version: Int) throws(MapRefusal) {
        _ = try coordinator.update(
            MapRequest(nodeKey: nodeKey(key), discoKey: .zero), from: machineKey(machine),
            capabilityVersion: version)
    }

    /// Something happens to somebody.
    func act(_ next: inout Int, _ random: inout SeededRandom) {
        let others = coordinator.state.sortedNodes.dropFirst()
        let number = others.randomElement(using: &random).map { node in
            (1...next).first { nodeKey($0) == node.nodeKey }!
        }
        switch Int.random(in: 0..<9, using: &random) {
        case 0:
            join(next, user: Bool.random(using: &random) ? "anna" : "ben", hostname: "h") {
                $0.isEphemeral = Bool.random(using: &random)
            }
            next += 1
        case 1: if let number { connect(number) }
        case 2: if let number { disconnect(number) }
        case 3:
            if let number {
                store(try! coordinator.deleteNode(record(number)!.id.description))
            }
        case 4: advance(by: .seconds(Int64.random(in: 0...1500, using: &random)))
        case 5:
            if let number {
                let port = UInt16.random(in: 1...9, using: &random)
                tell(number) {
                    $0.endpoints = [Endpoint(.v4(IPv4Address(192, 0, 2, 1)), port: port)]
                }
            }
        case 6:
            if let number {
                let region = Int.random(in: 1...3, using: &random)
                let hostname = ["h", "x", "y.local"].randomElement(using: &random)!
                tell(number) {
                    var told = hostinfo(hostname)
                    var netInfo = NetInfo()
                    netInfo.preferredDERP = region
                    told.netInfo = netInfo
                    $0.hostinfo = told
                }
            }
        case 7:
            if let number {
                tell(number) { $0.discoKey = discoKey(Int.random(in: 1...50, using: &random)) }
            }
        default:
            if let number {
                // A new key for the same machine.
                let old = record(number)!
                let text = key(user: "anna")
                let request = RegisterRequest(
                    nodeKey: nodeKey(next), authKey: text, hostinfo: old.hostinfo)
                let decision = coordinator.register(
                    request, from: old.machineKey, capabilityVersion: 133, at: now,
                    random: &self.random)
                store(decision)
                next += 1
            }
        }
    }
}
