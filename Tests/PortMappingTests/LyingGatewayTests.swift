import NetTypes
import PortMapping
import PortMappingMessages
import SimulatedNetwork
import Testing

@Suite("Gateways that lie") struct LyingGatewayTests {
    private func run(
        _ wanted: PortMappingProtocol, for duration: Nanoseconds = .minutes(60),
        _ lie: (inout FakeGateway) -> Void
    ) -> (status: PortMappingStatus, gateway: FakeGateway, statuses: [PortMappingStatus]) {
        var gateway = FakeGateway()
        gateway.speaksPCP = wanted == .pcp
        gateway.speaksNATPMP = wanted == .natPMP
        gateway.speaksUPnP = wanted == .upnp
        lie(&gateway)
        var rig = Rig(gateway)
        rig.begin()
        rig.run(duration)
        return (rig.engine.status, rig.gateway, rig.statuses)
    }

    @Test(
        "External addresses that no host can have are refused by every protocol",
        arguments: [
            "0.0.0.0", "0.1.2.3", "127.0.0.1", "169.254.1.1", "224.0.0.1", "239.1.2.3",
            "255.255.255.255", "240.0.0.1", "192.168.1.1", "192.168.1.10", "192.168.1.77",
        ])
    func addresses(_ text: String) {
        for wanted in PortMappingProtocol.allCases {
            let result = run(wanted) { $0.externalAddress = IPAddress(text)! }
            #expect(result.statuses.allSatisfy { $0.mappings.isEmpty }, "\(wanted)")
            #expect(result.status.problem != nil)
            #expect(result.gateway.mappings.isEmpty, "what was made is removed: \(wanted)")
            #expect(result.gateway.datagramCount < 200)
        }
    }

    @Test(
        "An address behind another NAT is held and not announced",
        arguments: [
            "10.9.8.7", "100.64.3.4", "172.16.0.1", "192.168.7.7", "192.0.0.2", "198.18.0.5",
        ])
    func behindAnother(_ text: String) {
        for wanted in PortMappingProtocol.allCases {
            let result = run(wanted) { $0.externalAddress = IPAddress(text)! }
            #expect(result.statuses.allSatisfy { $0.endpoints.isEmpty })
            #expect(result.status.mappings.first?.isReachable == false)
            #expect(result.status.problem?.contains(text) == true)
        }
    }

    @Test("Answers with another nonce, or from another address, count for nothing")
    func strangers() {
        let nonce = run(.pcp) { $0.keepsNonce = false }
        #expect(nonce.statuses.allSatisfy { $0.mappings.isEmpty })
        for wanted in PortMappingProtocol.allCases {
            let stranger = run(wanted) { $0.answersFrom = IPAddress("192.168.1.66") }
            #expect(stranger.statuses.allSatisfy { $0.mappings.isEmpty })
            #expect(stranger.gateway.exchanges.isEmpty)
            #expect(stranger.status.pcp == false && stranger.status.upnp == false)
        }
    }

    @Test("Absurd lifetimes: none, seconds and years")
    func lifetimes() {
        for wanted in [PortMappingProtocol.pcp, .natPMP] {
            for short: UInt32 in [0, 1, 59] {
                let result = run(wanted) { $0.grantedLifetime = short }
                #expect(result.statuses.allSatisfy { $0.mappings.isEmpty })
                #expect(result.gateway.datagramCount < 100, "\(result.gateway.datagramCount)")
            }
            let brief = run(wanted) { $0.grantedLifetime = 60 }
            #expect(brief.status.endpoints.count == 1)
            #expect(brief.gateway.datagramCount < 400)
            let years = run(wanted) { $0.grantedLifetime = .max }
            #expect(years.status.mappings.first?.lifetime == .minutes(24 * 60))
        }
    }

    @Test("Another port than the one wished for is as good; port 0 is none")
    func ports() {
        for wanted in [PortMappingProtocol.pcp, .natPMP] {
            let other = run(wanted) { $0.externalPort = 777 }
            #expect(other.status.endpoints == [Endpoint("203.0.113.7:777")!])
            let none = run(wanted) { $0.externalPort = 0 }
            #expect(none.statuses.allSatisfy { $0.mappings.isEmpty })
        }
    }

    @Test("Whatever host a gateway names, requests go to the gateway alone")
    func redirects() {
        let places = [
            "http://203.0.113.99:5000/desc.xml", "http://127.0.0.1:5000/desc.xml",
            "http://192.168.1.2:5000/desc.xml",
        ]
        for place in places {
            let result = run(.upnp) { $0.location = place }
            #expect(result.gateway.exchanges.allSatisfy { $0.address == IPAddress("192.168.1.1") })
            #expect(result.status.endpoints.count == 1)
        }
        let bodies = [
            "<URLBase>http://203.0.113.99/</URLBase>" + service("http://203.0.113.99/ctl"),
            service("http://192.168.1.2:5000/ctl"), service("//203.0.113.99/ctl"),
        ]
        for body in bodies {
            let result = run(.upnp) { $0.description = Self.document(body) }
            #expect(result.gateway.exchanges.allSatisfy { $0.address == IPAddress("192.168.1.1") })
            #expect(result.gateway.actions.isEmpty)
            #expect(result.statuses.allSatisfy { $0.mappings.isEmpty })
        }
        let redirect = run(.upnp) { $0.description = HTTPResponse(status: 302, body: []) }
        #expect(redirect.gateway.actions.isEmpty)
    }

    @Test("Malformed documents are refusals, and not asked for without end")
    func documents() {
        for body in ["", "<root>", "<!DOCTYPE a><root/>", String(repeating: "<a>", count: 999)] {
            let result = run(.upnp) {
                $0.description = HTTPResponse(status: 200, body: Array(body.utf8))
            }
            #expect(result.statuses.allSatisfy { $0.mappings.isEmpty })
            #expect(result.gateway.exchanges.count < 20)
        }
    }

    private func service(_ control: String) -> String {
        "<service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType>"
            + "<controlURL>\(control)</controlURL></service>"
    }
    private static func document(_ body: String) -> HTTPResponse {
        HTTPResponse(status: 200, body: Array("<root>\(body)</root>".utf8))
    }
}
