import ControlMessages
import LocalAPI
import NetTypes
import Testing

@testable import SkeinCLI

@Suite("What the command line prints") struct TextTests {
    private func peer(_ number: UInt8, _ name: String) -> PeerStatus {
        var peer = PeerStatus()
        peer.publicKey = NodeKey(Bytes32(Array(repeating: number, count: 32)))
        peer.dnsName = name + ".mesh.example."
        peer.hostName = name
        peer.os = "linux"
        peer.userID = UserID(1)
        peer.addresses = [IPAddress("100.64.0.\(number)")!]
        peer.isOnline = true
        return peer
    }

    private var status: Status {
        var status = Status()
        status.backendState = .running
        status.own = peer(1, "laptop")
        status.addresses = status.own.addresses
        status.users[UserID(1)] = UserProfile(
            id: UserID(1), loginName: "ann@example.org", displayName: "Ann")
        var direct = peer(2, "desktop")
        direct.isActive = true
        direct.currentEndpoint = Endpoint("192.0.2.7:41641")
        direct.sentBytes = 1200
        direct.receivedBytes = 900
        var relayed = peer(3, "phone")
        relayed.os = "iOS"
        relayed.isActive = true
        relayed.relay = "skein"
        relayed.sentBytes = 10
        var idle = peer(4, "server")
        idle.tags = ["tag:server"]
        idle.isOnline = false
        var quiet = peer(5, "attic")
        quiet.sentBytes = 1
        for peer in [direct, relayed, idle, quiet] { status.peers[peer.publicKey] = peer }
        return status
    }

    @Test("A status is a table of machines, this one first")
    func statusTable() {
        #expect(
            StatusText(status: status).lines == [
                "100.64.0.1  laptop   ann@            linux  -",
                "100.64.0.5  attic    ann@            linux  idle, tx 1 rx 0",
                "100.64.0.2  desktop  ann@            linux  "
                    + "active; direct 192.0.2.7:41641, tx 1200 rx 900",
                "100.64.0.3  phone    ann@            iOS    "
                    + "active; relay \"skein\", tx 10 rx 0",
                "100.64.0.4  server   tagged-devices  linux  offline",
            ])
        #expect(StatusText(status: status, onlyActive: true).lines.count == 3)
    }

    @Test("What is wrong stands below, and above where the node is not connected")
    func statusStates() {
        var status = Status()
        status.backendState = .needsLogin
        status.authURL = "https://mesh.example/register/abc"
        status.health = ["the server cannot be reached"]
        #expect(
            StatusText(status: status).lines == [
                "Logged out.", "Log in at: https://mesh.example/register/abc", "",
                "# Health check:", "#     - the server cannot be reached",
            ])
        status.backendState = .stopped
        #expect(StatusText(status: status).lines.first == "Skein is stopped: skein up")
    }

    @Test("A network report lists relays from near to far")
    func netcheck() {
        var report = NetcheckReport()
        report.udp = true
        report.ipv4 = true
        report.globalIPv4 = Endpoint("203.0.113.9:41641")
        report.isBehindNAT = true
        report.nat = NATBehavior(
            mapping: .endpointIndependent, filtering: .addressAndPortDependent,
            allocation: .sequential(step: 1), hairpins: false)
        report.mappingLifetime = 112
        report.preferredRelay = 999
        report.latencies = [1: 40_000_000, 999: 4_260_000]
        report.regions[999] = NetcheckReport.Region(code: "skein", name: "Skein relay")
        #expect(
            NetcheckText(report: report).lines == [
                "Report:", "\t* UDP: yes", "\t* IPv4: yes, 203.0.113.9:41641", "\t* IPv6: no",
                "\t* NAT:",
                "\t\t- mapping:          endpoint-independent (easy: one port for all destinations)",
                "\t\t- filtering:        address-and-port-dependent"
                    + " (endpoints that were sent to may send in)",
                "\t\t- port allocation:  sequential (steps of 1)",
                "\t\t- hairpinning:      no",
                "\t\t- lifetime:         112 s without a packet are safe",
                "\t* PortMapping: not asked", "\t* Nearest relay: Skein relay",
                "\t* Relay latency:", "\t\t- skein:  4.3ms  (Skein relay)",
                "\t\t- 1:      40ms", "",
                "The NAT is easy: peers behind NATs like it connect directly; with one behind a hard"
                    + " NAT that takes a search of some seconds, or stays with a relay.",
            ])
        let nothing = NetcheckText(report: NetcheckReport()).lines
        #expect(
            nothing[4...6] == [
                "\t* PortMapping: not asked", "\t* Nearest relay: unknown (no answer from any)", "",
            ])
        #expect(nothing.last?.hasPrefix("Nothing answers:") == true)
    }

    @Test("Each kind of network has its own sentence")
    func summaries() {
        var report = NetcheckReport()
        var sentences: [String] = []
        func note(_ change: (inout NetcheckReport) -> Void) {
            change(&report)
            sentences.append(report.summary)
        }
        note { _ in }
        note { $0.latencies = [1: 1] }
        note { $0.udp = true }
        note { $0.ipv4 = true }
        note { $0.nat.filtering = .addressDependent }
        note { $0.nat.filtering = .endpointIndependent }
        note { $0.nat.mapping = .addressDependent }
        note { $0.nat.allocation = .preserving }
        note { $0.isBehindNAT = false }
        note { $0.nat.filtering = .addressAndPortDependent }
        note { $0.upnp = true }
        note { $0.ipv6 = true }
        note { $0.captivePortal = true }
        #expect(Set(sentences).count == sentences.count)
    }

    @Test(
        "Times are short",
        arguments: [(0.00004, "0.0ms"), (0.00996, "10ms"), (0.0044, "4.4ms"), (1.2, "1200ms")])
    func milliseconds(seconds: Double, text: String) {
        #expect(Milliseconds.text(seconds) == text)
    }

    @Test("JSON is indented by two, empty lists and objects stay on their line")
    func indented() throws {
        let json = try JSON(parsing: Array(#"{"a":[1,{"b":[]}],"c":{},"d\"":null}"#.utf8))
        #expect(
            json.indented == """
                {
                  "a": [
                    1,
                    {
                      "b": []
                    }
                  ],
                  "c": {},
                  "d\\"": null
                }
                """)
    }

    @Test("Machines are found by address, by name and by full name, whatever the case")
    func names() throws {
        for text in ["100.64.0.2", "desktop", "Desktop", "desktop.mesh.example"] {
            #expect(try PeerName.find(text, in: status).peer.hostName == "desktop")
        }
        #expect(try PeerName.find("laptop", in: status).own)
        #expect(throws: Failure.self) { try PeerName.find("nobody", in: status) }
        #expect(throws: Failure.self) { try PeerName.find("100.64.9.9", in: status) }
        var twins = status
        let twin = peer(9, "desktop")
        twins.peers[twin.publicKey] = twin
        let error = #expect(throws: Failure.self) { try PeerName.find("desktop", in: twins) }
        #expect(error?.description.contains("100.64.0.2, 100.64.0.9") == true)
    }
}
