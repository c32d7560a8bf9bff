import ControlMessages
import LocalAPI
import NetTypes
import Testing

@Suite("Messages of the local interface") struct MessagesTests {
    private var status: Status {
        var status = Status()
        status.version = "0.1.0"
        status.backendState = .running
        status.haveNodeKey = true
        status.addresses = [IPAddress("100.64.0.1")!, IPAddress("fd7a:115c:a1e0::1")!]
        status.own.hostName = "one"
        status.own.dnsName = "one.mesh.example."
        status.health = ["the server cannot be reached"]
        status.tailnet = TailnetStatus(
            name: "mesh.example", magicDNSSuffix: "mesh.example", magicDNSEnabled: true)
        var peer = PeerStatus()
        peer.publicKey = NodeKey(Bytes32(Array(repeating: 7, count: 32)))
        peer.hostName = "two"
        peer.addresses = [IPAddress("100.64.0.2")!]
        peer.currentEndpoint = Endpoint("192.0.2.7:41641")
        peer.relay = "skein"
        peer.isOnline = true
        peer.receivedBytes = 12
        peer.lastHandshake = Timestamp(unixSeconds: 1_700_000_000)
        status.peers[peer.publicKey] = peer
        status.users[UserID(1)] = UserProfile(
            id: UserID(1), loginName: "ann@example.org", displayName: "Ann")
        return status
    }

    @Test("A status survives being written and read")
    func roundTrip() throws {
        #expect(try Status(jsonBytes: status.jsonBytes) == status)
    }

    @Test("A status has the member names that scripts look for")
    func names() throws {
        let object = try #require(try JSON(parsing: status.jsonBytes).object)
        #expect(
            object.members.map(\.name) == [
                "Version", "TUN", "BackendState", "HaveNodeKey", "AuthURL", "TailscaleIPs", "Self",
                "Health", "MagicDNSSuffix", "CurrentTailnet", "CertDomains", "Peer", "User",
            ])
        #expect(object["BackendState"] == .string("Running"))
        let peer = try #require(object["Peer"]?.object?.members.first)
        #expect(peer.name == "nodekey:" + String(repeating: "07", count: 32))
        #expect(peer.value.object?["CurAddr"] == .string("192.0.2.7:41641"))
        #expect(peer.value.object?["RxBytes"] == .number("12"))
        #expect(peer.value.object?["LastHandshake"] == .string("2023-11-14T22:13:20Z"))
        #expect(peer.value.object?["LastSeen"] == .string("0001-01-01T00:00:00Z"))
        #expect(object["User"]?.object?["1"]?.object?["LoginName"] == .string("ann@example.org"))
    }

    @Test("A change names what it sets, and sets nothing else")
    func change() throws {
        let text = #"{"Hostname":"","HostnameSet":true,"RouteAll":true,"CorpDNSSet":true}"#
        let change = try PrefsChange(jsonBytes: Array(text.utf8))
        var expected = PrefsChange()
        expected.hostname = ""
        expected.acceptsDNS = false
        #expect(change == expected)
        var prefs = Prefs()
        prefs.hostname = "old"
        prefs.controlURL = "https://mesh.example"
        prefs.apply(change)
        #expect(prefs.hostname == "" && prefs.controlURL == "https://mesh.example")
        #expect(!prefs.acceptsDNS && !prefs.acceptsRoutes)
        #expect(try PrefsChange(jsonBytes: change.jsonBytes) == change)
        #expect(try Prefs(jsonBytes: prefs.jsonBytes) == prefs)
    }

    @Test("A setting this node does not have is refused by name")
    func unknownSetting() {
        let error = #expect(throws: MessageDecodingError.self) {
            try PrefsChange(jsonBytes: Array(#"{"RunSSH":true,"RunSSHSet":true}"#.utf8))
        }
        #expect(error?.path == "RunSSHSet")
    }

    @Test("Notices carry what changed")
    func notify() throws {
        var notify = Notify()
        notify.state = .noState
        notify.browseToURL = "https://mesh.example/register/abc"
        notify.loginFinished = true
        notify.health = ["no relay answers"]
        #expect(try Notify(jsonBytes: notify.jsonBytes) == notify)
        #expect(
            String(decoding: Notify().jsonBytes, as: UTF8.self) == "{}")
    }

    @Test("Ping results and network reports survive being written and read")
    func others() throws {
        var ping = PingResult(address: IPAddress("100.64.0.2")!)
        ping.nodeAddress = IPAddress("100.64.0.2")
        ping.nodeName = "two"
        ping.latencySeconds = 0.012
        ping.endpoint = Endpoint("[2001:db8::1]:41641")
        #expect(try PingResult(jsonBytes: ping.jsonBytes) == ping)
        var report = NetcheckReport()
        report.udp = true
        report.mappingVariesByDestination = false
        report.latencies = [999: 12_000_000]
        report.isBehindNAT = true
        report.nat = NATBehavior(
            mapping: .addressDependent, filtering: .endpointIndependent,
            allocation: .contiguousBlock(1_024...2_047), hairpins: true)
        report.nat64Prefix = "64:ff9b::/96"
        report.mappingLifetime = 112
        report.regions = [999: NetcheckReport.Region(code: "skein", name: "Skein")]
        report.globalIPv4 = Endpoint("203.0.113.9:41641")
        #expect(try NetcheckReport(jsonBytes: report.jsonBytes) == report)
    }
}
