import NetTypes
import PortMapping
import PortMappingMessages
import SimulatedNetwork
import Testing

@Suite("Port mapping") struct PortMappingTests {
    private func gateway(_ protocols: Set<PortMappingProtocol>) -> FakeGateway {
        var gateway = FakeGateway()
        gateway.speaksPCP = protocols.contains(.pcp)
        gateway.speaksNATPMP = protocols.contains(.natPMP)
        gateway.speaksUPnP = protocols.contains(.upnp)
        return gateway
    }

    @Test(
        "Each protocol alone gets a mapping, and quickly", arguments: PortMappingProtocol.allCases)
    func each(_ wanted: PortMappingProtocol) {
        var rig = Rig(gateway([wanted]))
        rig.begin()
        rig.run(.milliseconds(400))
        let status = rig.engine.status
        let mapped = rig.gateway.mappings
        #expect(status.endpoints == [Endpoint("203.0.113.7:41641")!])
        #expect(status.mappings.first?.protocol == wanted)
        #expect(mapped == [wanted: 41641])
    }

    @Test("Of all three the best is used, and no other makes a mapping")
    func race() {
        var rig = Rig(gateway([.pcp, .natPMP, .upnp]))
        rig.begin()
        rig.run(.seconds(5))
        let status = rig.engine.status
        let mapped = rig.gateway.mappings
        #expect(mapped == [.pcp: 41641])
        #expect(status.pcp == true && status.natPMP == true && status.upnp == true)
        let firstAt = rig.statuses.first { !$0.endpoints.isEmpty }
        #expect(firstAt != nil)
    }

    @Test("A protocol that refuses gives way to the next")
    func refusal() {
        var gateway = gateway([.pcp, .natPMP, .upnp])
        gateway.pcpResult = PCPResponse.Result.notAuthorized
        gateway.natPMPResult = 2
        var rig = Rig(gateway)
        rig.begin()
        rig.run(.seconds(2))
        let status = rig.engine.status
        #expect(status.mappings.first?.protocol == .upnp)
        #expect(status.endpoints == [Endpoint("203.0.113.7:41641")!])
    }

    @Test("A mapping is renewed at half its life, as long as it is wanted")
    func renewal() {
        for wanted in PortMappingProtocol.allCases {
            var rig = Rig(gateway([wanted]))
            rig.begin()
            rig.run(.seconds(4))
            let first = rig.engine.status.mappings.first?.expiresAt
            rig.run(.minutes(61))
            let second = rig.engine.status.mappings.first?.expiresAt
            #expect(second! - first! >= .minutes(30), "\(wanted)")
            rig.run(.minutes(24 * 60))
            let last = rig.engine.status
            #expect(last.mappings.first!.expiresAt > rig.now)
            #expect(rig.statuses.allSatisfy { $0.endpoints.count <= 1 })
            let lost = rig.statuses.drop { $0.endpoints.isEmpty }.contains { $0.endpoints.isEmpty }
            #expect(!lost, "\(wanted) was lost meanwhile")
        }
    }

    @Test("The nonce and the external port stay the same for every renewal and the removal")
    func nonce() {
        var rig = Rig(gateway([.pcp]), rememberedPort: 5000)
        rig.begin()
        rig.run(.minutes(200))
        rig.engine.release(at: rig.now)
        rig.drain()
        rig.run(.seconds(2))
        let maps = rig.sent.compactMap { transmit -> [UInt8]? in
            guard case .datagram(let bytes, _) = transmit, bytes.count == 60 else { return nil }
            return bytes
        }
        #expect(maps.count >= 4)
        #expect(maps.allSatisfy { Array($0[24..<36]) == Rig.nonce.bytes })
        #expect(maps.dropLast().allSatisfy { $0[42] == 0x13 && $0[43] == 0x88 })
        let mapped = rig.gateway.mappings
        let isReleased = rig.engine.isReleased
        #expect(mapped.isEmpty)
        #expect(isReleased)
    }

    @Test("Release removes the mapping, whatever made it", arguments: PortMappingProtocol.allCases)
    func release(_ wanted: PortMappingProtocol) {
        var rig = Rig(gateway([wanted]))
        rig.begin()
        rig.run(.seconds(4))
        rig.engine.release(at: rig.now)
        rig.drain()
        let during = rig.engine.isReleased
        rig.run(.milliseconds(100))
        let mapped = rig.gateway.mappings
        let after = rig.engine.isReleased
        #expect(!during && after)
        #expect(mapped.isEmpty)
        #expect(rig.statuses.last?.endpoints == [])
    }

    @Test("A gateway that is gone does not keep the release waiting")
    func releaseOfNothing() {
        var rig = Rig(gateway([.natPMP]))
        rig.begin()
        rig.run(.seconds(4))
        rig.gateway.speaksNATPMP = false
        rig.engine.release(at: rig.now)
        rig.drain()
        rig.run(.milliseconds(1001))
        let isReleased = rig.engine.isReleased
        #expect(isReleased)
    }

    @Test("Switched off it removes the mapping; switched on again it makes one")
    func switching() {
        var rig = Rig(gateway([.pcp]))
        rig.begin()
        rig.run(.seconds(4))
        rig.engine.setEnabled(false, at: rig.now)
        rig.drain()
        rig.run(.minutes(60))
        let offCount = rig.gateway.datagramCount
        let off = rig.gateway.mappings
        rig.engine.setEnabled(true, at: rig.now)
        rig.drain()
        rig.run(.seconds(1))
        let on = rig.gateway.mappings
        #expect(off.isEmpty)
        #expect(offCount <= 24)
        #expect(on == [.pcp: 41641])
    }

    @Test("A gateway that restarts is asked again at once when it says so, and else within minutes")
    func restart() {
        for (wanted, speaks) in [(PortMappingProtocol.pcp, true), (.natPMP, true), (.pcp, false)] {
            var rig = Rig(gateway([wanted]))
            rig.gateway.bootedAt = MonotonicInstant(nanoseconds: 0)
            rig.begin()
            rig.run(.minutes(5))
            rig.gateway.restart(at: rig.now)
            if speaks {
                rig.announce(
                    wanted == .pcp
                        ? [2, 128, 0, 0] + [UInt8](repeating: 0, count: 20)
                        : [0, 128, 0, 0, 0, 0, 0, 0, 203, 0, 113, 7])
            }
            rig.run(speaks ? .milliseconds(100) : .seconds(130))
            let mapped = rig.gateway.mappings
            #expect(mapped == [wanted: 41641])
        }
    }

    @Test("Whatever maps the port, a PCP announcement is the sign of a restart, followed seldom")
    func announcements() {
        for wanted in [PortMappingProtocol.natPMP, .upnp] {
            var rig = Rig(gateway([wanted]))
            rig.begin()
            rig.run(.minutes(5))
            rig.gateway.restart(at: rig.now)
            rig.announce([2, 128, 0, 0] + [UInt8](repeating: 0, count: 20))
            rig.run(.milliseconds(200))
            let mapped = rig.gateway.mappings
            #expect(mapped == [wanted: 41641])
            let before = rig.sent.count
            for _ in 0..<3600 {
                rig.announce([2, 128, 0, 0] + [UInt8](repeating: 0, count: 20))
                rig.run(.seconds(1))
            }
            #expect(rig.sent.count - before < 120, "\(rig.sent.count - before) in an hour")
        }
    }

    @Test("A gateway whose epochs never fit is not asked without end")
    func madEpochs() {
        var rig = Rig(gateway([.pcp]))
        rig.begin()
        rig.run(.seconds(4))
        let before = rig.gateway.datagramCount
        for step in 0..<3600 {
            rig.gateway.epochOffset = step % 2 == 0 ? 0 : 1_000_000
            var bytes: [UInt8] = [2, 128, 0, 0, 0, 0, 0, 0]
            bytes.appendBigEndian(rig.gateway.epoch(rig.now))
            rig.announce(bytes + [UInt8](repeating: 0, count: 12))
            rig.run(.seconds(1))
        }
        let after = rig.gateway.datagramCount
        #expect(after - before < 120, "\(after - before) requests in an hour")
    }

    @Test("Nobody answers: asked ever more rarely, and named in the status")
    func silence() {
        var rig = Rig(gateway([]))
        rig.begin()
        rig.run(.minutes(24 * 60))
        let status = rig.engine.status
        #expect(rig.sent.count < 800, "\(rig.sent.count) datagrams in a day")
        #expect(status.pcp == false && status.natPMP == false && status.upnp == false)
        #expect(status.problem != nil)
    }

    @Test("With a third of the datagrams lost a mapping comes all the same and stays")
    func loss() {
        for spoken: Set<PortMappingProtocol> in [[.pcp], [.natPMP], [.pcp, .natPMP]] {
            var times: [Nanoseconds] = []
            for seed in UInt64(1)...200 {
                var rig = Rig(gateway(spoken), seed: seed)
                rig.lossProbability = 0.33
                let start = rig.now
                rig.begin()
                while rig.engine.status.endpoints.isEmpty, rig.now - start < .minutes(5) {
                    rig.run(.milliseconds(50))
                }
                times.append(rig.now - start)
                guard seed <= 10 else { continue }
                rig.run(.minutes(600))
                let later = rig.engine.status.endpoints
                #expect(later == [Endpoint("203.0.113.7:41641")!], "seed \(seed)")
            }
            times.sort()
            print(spoken, "p50", times[100], "p95", times[190], "most", times[199])
            #expect(times[100] <= .seconds(1))
            #expect(times[190] <= .seconds(5))
            #expect(times[199] <= .seconds(15))
        }
    }

    @Test("A gateway that is silent gets a few dozen datagrams in the first minute, then fewer")
    func politeness() {
        var rig = Rig(gateway([]))
        rig.begin()
        rig.run(.seconds(3))
        #expect(rig.sent.count <= 24)
        rig.run(.seconds(57))
        #expect(rig.sent.count <= 60, "\(rig.sent.count)")
        rig.run(.minutes(29))
        #expect(rig.sent.count <= 120, "\(rig.sent.count)")
    }

    @Test("UPnP: a taken port is exchanged, a lease without end accepted where nothing else is")
    func upnpErrors() {
        var taken = Rig(gateway([.upnp]))
        taken.gateway.upnpErrors = [718, 718]
        taken.begin()
        taken.run(.seconds(3))
        let status = taken.engine.status
        #expect(status.endpoints.count == 1)
        #expect(status.endpoints.first!.port >= 1024 && status.endpoints.first!.port != 41641)
        var permanent = Rig(gateway([.upnp]))
        permanent.gateway.upnpErrors = [725]
        permanent.begin()
        permanent.run(.seconds(3))
        let lasting = permanent.engine.status
        #expect(lasting.endpoints == [Endpoint("203.0.113.7:41641")!])
    }

    @Test("IPv6: the firewall is opened for our own address, by PCP or UPnP")
    func pinholes() {
        let link = GatewayLink(
            gateway: IPAddress("fe80::1")!, own: IPPrefix("2001:db8:1::10/64")!, port: 41641)
        for wanted in [PortMappingProtocol.pcp, .upnp] {
            var gateway = gateway([wanted])
            gateway.address = link.gateway
            gateway.externalAddress = link.own.address
            gateway.location = "http://[2001:db8:1::1]:5000/desc.xml"
            var rig = Rig(gateway)
            rig.begin(link)
            rig.run(.minutes(90))
            let status = rig.engine.status
            #expect(status.endpoints == [Endpoint("[2001:db8:1::10]:41641")!])
            #expect(status.natPMP == nil)
            rig.engine.release(at: rig.now)
            rig.drain()
            rig.run(.seconds(2))
            let mapped = rig.gateway.mappings
            #expect(mapped.isEmpty)
        }
    }

    @Test("No gateway is asked where no NAT can be: a public address, or none of our network")
    func implausible() {
        let links = [
            GatewayLink(
                gateway: IPAddress("203.0.113.1")!, own: IPPrefix("203.0.113.9/24")!, port: 1),
            GatewayLink(gateway: IPAddress("10.0.0.1")!, own: IPPrefix("192.168.1.9/24")!, port: 1),
            GatewayLink(gateway: IPAddress("fe80::1")!, own: IPPrefix("fd00::9/64")!, port: 1),
        ]
        for link in links {
            var rig = Rig(gateway([.pcp]))
            rig.begin(link)
            rig.run(.minutes(10))
            #expect(rig.sent.isEmpty)
        }
    }

    @Test("Another gateway: the old mapping is forgotten, the new one made")
    func roaming() {
        var rig = Rig(gateway([.pcp]))
        rig.begin()
        rig.run(.seconds(4))
        rig.gateway = gateway([.natPMP])
        rig.gateway.address = IPAddress("10.1.1.1")!
        rig.gateway.externalAddress = IPAddress("198.51.100.9")!
        rig.begin(
            GatewayLink(gateway: IPAddress("10.1.1.1")!, own: IPPrefix("10.1.1.5/24")!, port: 41641)
        )
        let between = rig.statuses.last?.endpoints
        rig.run(.seconds(1))
        #expect(between == [])
        #expect(rig.statuses.last?.endpoints == [Endpoint("198.51.100.9:41641")!])
    }
}
