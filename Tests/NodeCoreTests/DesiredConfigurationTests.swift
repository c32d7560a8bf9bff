import ControlMessages
import NetTypes
import NodeCore
import Testing

private let now = Timestamp(unixSeconds: 1_800_000_000)
private let start = MonotonicInstant(nanoseconds: 0)

private func key(_ number: UInt8) -> NodeKey {
    NodeKey(Bytes32([UInt8](repeating: number, count: 32)))
}

private func node(_ id: Int64, _ addresses: [String]) -> Node {
    var node = Node(
        id: NodeID(id), stableID: "n\(id)", name: "node\(id).example.", user: UserID(1),
        key: key(UInt8(id)))
    node.addresses = addresses.map { IPPrefix($0)! }
    node.discoKey = DiscoKey(Bytes32([UInt8](repeating: UInt8(id), count: 32)))
    node.homeDERP = 999
    node.endpoints = [Endpoint("192.0.2.\(id):41641")!]
    return node
}

private func configuration(
    _ peers: [Node], settings: NodeSettings = NodeSettings()
) -> DesiredConfiguration {
    var response = MapResponse()
    response.node = node(1, ["100.64.0.1/32", "fd7a:115c:a1e0::1/128"])
    response.peers = peers
    response.packetFilters = ["base": [.allowAll]]
    var map = NetworkMap()
    _ = map.apply(response, now: now)
    return DesiredConfiguration(map: map, settings: settings, now: now)
}

@Suite("desired configuration")
struct DesiredConfigurationTests {
    @Test func isEmptyBeforeTheFirstMap() {
        let nothing = DesiredConfiguration(map: NetworkMap(), settings: NodeSettings(), now: now)
        #expect(nothing == DesiredConfiguration())
    }

    @Test func hasOwnAddressesAndPeers() {
        let result = configuration([node(2, ["100.64.0.2/32", "fd7a:115c:a1e0::2/128"])])
        #expect(result.addresses.map(\.description) == ["100.64.0.1/32", "fd7a:115c:a1e0::1/128"])
        #expect(result.routes.map(\.description) == ["100.64.0.2/32", "fd7a:115c:a1e0::2/128"])
        #expect(result.peers.map(\.homeRelay) == [999])
        #expect(result.filterRules == [.allowAll])
        #expect(result.nextExpiry == nil)
    }

    @Test func leavesOutExpiredPeersAndSaysWhenTheNextExpires() {
        var expired = node(2, ["100.64.0.2/32"])
        expired.keyExpiry = now
        var marked = node(3, ["100.64.0.3/32"])
        marked.isExpired = true
        var living = node(4, ["100.64.0.4/32"])
        living.keyExpiry = now + .seconds(60)
        let result = configuration([expired, marked, living])
        #expect(result.peers.map(\.nodeID) == [NodeID(4)])
        #expect(result.nextExpiry == now + .seconds(60))
    }

    @Test func leavesOutPeersThatCannotBeReachedOrShareAKey() {
        var silent = node(2, ["100.64.0.2/32"])
        silent.discoKey = .zero
        silent.homeDERP = 0
        var impostor = node(3, ["100.64.0.3/32"])
        impostor.key = key(1)
        var twin = node(5, ["100.64.0.5/32"])
        twin.key = key(4)
        let result = configuration([silent, impostor, node(4, ["100.64.0.4/32"]), twin])
        #expect(result.peers.map(\.nodeID) == [NodeID(4)])
    }

    @Test func takesSubnetRoutesOnlyWhenAsked() {
        var router = node(2, ["100.64.0.2/32"])
        router.allowedIPs = ["100.64.0.2/32", "10.1.0.0/16", "0.0.0.0/0", "100.99.0.9/32"].map {
            IPPrefix($0)!
        }
        let plain = configuration([router])
        #expect(plain.routes.map(\.description) == ["100.64.0.2/32", "100.99.0.9/32"])
        let accepting = configuration([router], settings: NodeSettings(acceptsRoutes: true))
        #expect(
            accepting.routes.map(\.description) == [
                "10.1.0.0/16", "100.64.0.2/32", "100.99.0.9/32",
            ])
    }

    @Test func givesNoPrefixToTwoPeersAndNeverItsOwn() {
        let result = configuration([
            node(2, ["100.64.0.2/32", "100.64.0.1/32"]), node(3, ["100.64.0.2/32"]),
        ])
        #expect(result.peers.map(\.nodeID) == [NodeID(2)])
        #expect(result.routes.map(\.description) == ["100.64.0.2/32"])
    }

    @Test func shieldsUpMeansNoRules() {
        let result = configuration([], settings: NodeSettings(shieldsUp: true))
        #expect(result.filterRules.isEmpty)
    }

    @Test func serverClockIgnoresSmallDifferences() {
        var clock = ServerClock()
        #expect(clock.now(localTime: now, at: start) == now)
        clock.update(serverTime: now + .seconds(30), localTime: now, at: start)
        #expect(clock.now(localTime: now, at: start) == now)
        clock.update(serverTime: now + .minutes(90), localTime: now, at: start)
        #expect(clock.now(localTime: now, at: start) == now + .minutes(90))
        clock.update(serverTime: Timestamp(unixSeconds: 5), localTime: now, at: start)
        #expect(clock.now(localTime: now, at: start) == now + .minutes(90))
    }

    @Test func serverClockGoesOnWhereTheLocalOneJumps() {
        var clock = ServerClock()
        clock.update(serverTime: now, localTime: now, at: start)
        for local in [Timestamp(unixSeconds: 0), Timestamp(unixSeconds: 4_000_000_000)] {
            #expect(clock.now(localTime: local, at: start + .minutes(60)) == now + .minutes(60))
        }
    }
}
