import ControlMessages
import CryptoPrimitives
import DERPClient
import Foundation
import LocalAPI
import NetReport
import NetTypes
import Testing

@testable import NodeDaemon

@Suite("state files")
struct StoredStateTests {
    private func inTemporaryFolder(_ body: (StateFiles) throws -> Void) throws {
        let folder = NSTemporaryDirectory() + "skein-state-\(UUID().uuidString)"
        defer { #expect(throws: Never.self) { try FileManager.default.removeItem(atPath: folder) } }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        try body(StateFiles(folder: folder))
    }

    @Test func aNewMachineKeepsItsKeys() throws {
        try inTemporaryFolder { files in
            let first = try files.load()
            let second = try files.load()
            #expect(first.machineKey.publicKey == second.machineKey.publicKey)
            #expect(first.discoKey.publicKey == second.discoKey.publicKey)
            #expect(first.backendLogID == second.backendLogID && first.backendLogID.count == 64)
            #expect(second.nodeKey == nil && !second.isRegistered)
        }
    }

    @Test func everythingSurvivesARestart() throws {
        try inTemporaryFolder { files in
            var state = try files.load()
            state.nodeKey = PrivateKey()
            state.nextNodeKey = PrivateKey()
            state.isRegistered = true
            state.loginName = "ada"
            state.prefs.controlURL = "https://mesh.example.org"
            state.prefs.wantsRunning = true
            state.prefs.acceptsDNS = false
            try files.save(state)
            let loaded = try files.load()
            #expect(loaded.nodeKey?.publicKey == state.nodeKey?.publicKey)
            #expect(loaded.nextNodeKey?.publicKey == state.nextNodeKey?.publicKey)
            #expect(loaded.prefs == state.prefs)
            #expect(loaded.isRegistered && loaded.loginName == "ada")
        }
    }

    @Test(arguments: ["", "{", "{\"Version\":2}", "{\"Version\":1,\"MachineKey\":\"privkey:12\"}"])
    func aDamagedFileIsAnErrorAndStaysAsItIs(text: String) throws {
        try inTemporaryFolder { files in
            let path = files.folder + "/skein.state"
            try Data(text.utf8).write(to: URL(fileURLWithPath: path))
            #expect(throws: StateError.self) { try files.load() }
            #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == Data(text.utf8))
        }
    }

    @Test func peersMetThroughHardNATsAreKeptUpToALimitTheLatestFirst() throws {
        try inTemporaryFolder { files in
            var state = StoredState()
            let peers = (0...StoredState.hardNATPeersMax).map { _ in
                PrivateKey<NodeKind>().publicKey
            }
            for peer in peers + [peers[5]] { state.noteHardNATPassed(peer) }
            try files.save(state)
            let read = try files.load()
            #expect(read.hardNATPeers.count == StoredState.hardNATPeersMax)
            #expect(read.hardNATPeers.first == peers[5])
            #expect(read.hardNATPeers == state.hardNATPeers)
            #expect(!read.hardNATPeers.contains(peers[0]))
        }
    }

    @Test func lifetimesOfMappingsAreKeptPerNetworkUpToALimitAndForAMonth() throws {
        try inTemporaryFolder { files in
            var state = StoredState()
            let start = Timestamp(unixSeconds: 1_800_000_000)
            let learned = (0...LearnedLifetime.networksMax).map { number in
                LearnedLifetime(
                    address: IPAddress("203.0.113.\(number)")!, safeGap: .seconds(112),
                    disproofs: number % 2)
            }
            state.note(learned, at: start)
            try files.save(state)
            var read = try files.load()
            #expect(read.lifetimes(at: start) == Array(learned.dropFirst()))
            #expect(read.lifetimes(at: start + .minutes(60 * 24 * 29)).count == 16)
            #expect(read.lifetimes(at: start + .minutes(60 * 24 * 31)).isEmpty)
            // What is learned of another network renews nothing.
            let later = start + .minutes(60 * 24 * 20)
            var other = learned[16]
            other.safeGap = nil
            read.note(learned[1..<16] + [other], at: later)
            #expect(read.lifetimes(at: later).count == 16)
            #expect(read.lifetimes(at: start + .minutes(60 * 24 * 31)) == [other])
        }
    }

    @Test func errorsAndDescriptionsShowNoKey() throws {
        let state = StoredState()
        let secret = state.machineKey.storedText.dropFirst("privkey:".count)
        #expect(!"\(state)".contains(secret))
        #expect(!String(reflecting: state).contains(secret))
    }

    @Test func aStoredMapIsReadBackWhole() throws {
        try inTemporaryFolder { files in
            var response = MapResponse()
            var own = Node(
                id: NodeID(1), stableID: "1", name: "a.example.", user: UserID(1),
                key: PrivateKey<NodeKind>().publicKey)
            own.addresses = [IPPrefix("100.64.0.1/32")!]
            var peer = own
            peer.id = NodeID(2)
            peer.key = PrivateKey<NodeKind>().publicKey
            peer.endpoints = [Endpoint("192.0.2.1:41641")!]
            response.node = own
            response.peers = [peer]
            response.packetFilters = ["base": [.allowAll]]
            var map = NetworkMap()
            _ = map.apply(response, now: .zero)
            try files.save(map)
            var loaded = NetworkMap()
            _ = loaded.apply(try #require(try files.loadMap()), now: .zero)
            #expect(loaded == map)
        }
    }

    @Test func aSecondDaemonIsKeptOut() throws {
        try inTemporaryFolder { files in
            let first = try NodeDaemon.hold(files.folder)
            let error = #expect(throws: StateError.self) { try NodeDaemon.hold(files.folder) }
            #expect(error?.description.contains("already running") == true)
            withExtendedLifetime(first) {}
        }
    }

    @Test func afterADaemonAnotherHasTheFolder() throws {
        try inTemporaryFolder { files in
            do { _ = try NodeDaemon.hold(files.folder) }
            _ = try NodeDaemon.hold(files.folder)
        }
    }
}

@Suite("relay translation")
struct RelayTranslationTests {
    private func map(_ edit: (inout DERPNode) -> Void) -> DERPMap {
        var node = DERPNode(name: "1a", regionID: 1, hostName: "relay.example.org")
        edit(&node)
        return DERPMap(regions: [1: DERPRegion(id: 1, code: "one", name: "One", nodes: [node])])
    }

    @Test func onlyTheServerItselfIsSpokenToWithoutTLS() throws {
        let translation = RelayTranslation(
            plainHTTPServer: (host: "10.0.0.1", port: 8080), resolved: [:])
        let other = try #require(translation.relayMap(map { _ in }).regions[1]?.nodes.first)
        #expect(!other.isPlainHTTP && other.port == 443)
        let own = map {
            $0.hostName = "10.0.0.1"
            $0.derpPort = 8080
        }
        #expect(try #require(translation.relayMap(own).regions[1]?.nodes.first).isPlainHTTP)
        let otherPort = map { $0.hostName = "10.0.0.1" }
        #expect(
            try #require(translation.relayMap(otherPort).regions[1]?.nodes.first).isPlainHTTP
                == false)
    }

    @Test func namesWithoutAddressesAreAskedFor() throws {
        let named = map { _ in }
        #expect(RelayTranslation.namesToResolve(named) == ["relay.example.org"])
        #expect(RelayTranslation.namesToResolve(map { $0.ipv4 = "192.0.2.1" }) == [])
        #expect(RelayTranslation.namesToResolve(map { $0.hostName = "192.0.2.1" }) == [])
        let resolved = RelayTranslation(
            resolved: ["relay.example.org": ResolvedName(ipv4: IPv4Address(192, 0, 2, 7))])
        let region = try #require(resolved.regions(named).first)
        #expect(region.nodes.first?.ipv4 == IPv4Address(192, 0, 2, 7))
        #expect(region.nodes.first?.stunPort == 3478)
    }

    @Test func anAddressMadeUpForTheTranslatorIsNoIPv6() throws {
        let prefix = NAT64Prefix.wellKnown
        let inner = IPv4Address(192, 0, 2, 7)
        let synthesized = RelayTranslation(
            resolved: ["relay.example.org": ResolvedName(ipv6: prefix.synthesize(inner))],
            nat64: prefix)
        let server = try #require(synthesized.regions(map { _ in }).first?.nodes.first)
        #expect(server.ipv4 == inner)
        #expect(server.ipv6 == nil)
    }

    @Test func specialValuesOfTheMapAreHonoured() throws {
        let translation = RelayTranslation(resolved: [:])
        let silent = map {
            $0.stunPort = -1
            $0.ipv6 = "none"
        }
        #expect(translation.regions(silent).first?.nodes.first?.stunPort == nil)
        let node = try #require(translation.relayMap(silent).regions[1]?.nodes.first)
        #expect(!node.usesIPv6 && node.usesIPv4)
        #expect(
            translation.relayMap(map { $0.isSTUNOnly = true }).regions[1]?.nodes.isEmpty == true)
    }
}
