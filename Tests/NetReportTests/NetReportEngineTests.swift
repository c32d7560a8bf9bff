import NetReport
import NetTypes
import STUN
import Testing

/// A world of STUN servers around one engine: each region has a round trip, or is silent.
private struct World: ~Copyable {
    var engine = NetReportEngine(random: SplitMix64(state: 11))
    var now = MonotonicInstant(nanoseconds: 0) + .minutes(60)
    /// Round trip by region; a region that is not here does not answer.
    var roundTrips: [Int: Nanoseconds] = [:]
    /// How a server sees us.
    var mapped: (_ server: Endpoint) -> Endpoint = { _ in Endpoint("203.0.113.9:41641")! }
    private var inFlight: [(at: MonotonicInstant, bytes: [UInt8])] = []
    var sent: [(at: MonotonicInstant, to: Endpoint)] = []
    var events: [NetReportEvent] = []

    /// Region N has one node, 198.51.100.N and 2001:db8::N.
    init(regions: ClosedRange<Int>, ipv6: Bool = false) {
        engine.setRegions(regions.map { Self.region($0) })
        engine.setAddressFamilies(ipv6 ? [.ipv4, .ipv6] : .ipv4)
    }

    static func region(_ id: Int, isMeasured: Bool = true) -> RelayRegion {
        RelayRegion(
            id: id,
            nodes: [
                RelayRegion.Node(
                    ipv4: IPv4Address(198, 51, 100, UInt8(id)),
                    ipv6: IPv6Address(high: 0x2001_0db8 << 32, low: UInt64(id)))
            ], isMeasured: isMeasured)
    }

    static func region(of server: Endpoint) -> Int {
        switch server.address {
        case .v4(let address): Int(address.bits & 0xFF)
        case .v6(let address): Int(address.low)
        }
    }

    mutating func run(for duration: Nanoseconds) {
        let end = now + duration
        while true {
            drain()
            inFlight.sort { $0.at < $1.at }
            var next = end
            if let arrival = inFlight.first { next = min(next, arrival.at) }
            if let due = engine.nextDeadline { next = min(next, max(due, now)) }
            now = next
            if let arrival = inFlight.first, arrival.at <= now {
                inFlight.removeFirst()
                engine.handleResponse(arrival.bytes.span.bytes, at: now)
            } else if let due = engine.nextDeadline, due <= now {
                engine.handleTimeout(at: now)
            } else if now >= end {
                return
            }
        }
    }

    private mutating func drain() {
        while let transmit = engine.pollTransmit() {
            sent.append((now, transmit.destination))
            guard let roundTrip = roundTrips[Self.region(of: transmit.destination)],
                let answer = STUNServerLogic.response(
                    to: transmit.bytes.span.bytes, from: mapped(transmit.destination))
            else { continue }
            inFlight.append((now + roundTrip, answer))
        }
        while let event = engine.pollEvent() { events.append(event) }
    }

    /// The last report among the events.
    var report: NetReport? {
        for case .report(let report) in events.reversed() { return report }
        return nil
    }
}

struct SplitMix64: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

@Suite("network report")
struct NetReportEngineTests {
    @Test(
        "a full report finds latencies, our endpoint and the nearest relay, without waiting for the rest"
    )
    func full() throws {
        var world = World(regions: 1...8)
        for id in 1...7 { world.roundTrips[id] = .milliseconds(Int64(20 * id)) }
        world.engine.start(at: world.now)
        let start = world.now
        world.run(for: .seconds(4))
        let found = world.report
        let report = try #require(found)
        #expect(report.isFull && report.hasUDP && report.hasIPv4 && !report.hasIPv6)
        #expect(report.homeRelay == 1)
        #expect(report.reflexiveEndpoints == [Endpoint("203.0.113.9:41641")!])
        #expect(report.mappingVariesByDestination == false)
        #expect(report.nat == NATBehavior(mapping: .endpointIndependent))
        #expect(report.latency(of: 2) == .milliseconds(40))
        // Three regions had answered after 60 ms; the rest got as long again.
        #expect(report.finishedAt - start == .milliseconds(120))
        #expect(report.latencies.map(\.region) == [1, 2, 3, 4, 5, 6])
    }

    @Test("a NAT that varies its mapping is told from one that does not")
    func mapping() throws {
        var world = World(regions: 1...3)
        world.roundTrips = [1: .milliseconds(10), 2: .milliseconds(10), 3: .milliseconds(10)]
        world.mapped = { server in
            Endpoint(
                Endpoint("203.0.113.9:1")!.address, port: UInt16(5_000 + World.region(of: server)))
        }
        world.engine.start(at: world.now)
        world.run(for: .seconds(1))
        let varies = world.report?.mappingVariesByDestination
        #expect(varies == true)
        let mapping = world.report?.nat.mapping
        #expect(mapping == .addressAndPortDependent)
        // Seen once each: only the first is announced.
        let endpoints = world.report?.globalIPv4
        #expect(endpoints?.count == 1)
    }

    @Test("one server alone says nothing about mapping, and is asked once when it answers")
    func single() {
        var world = World(regions: 1...1)
        world.roundTrips = [1: .milliseconds(30)]
        world.engine.start(at: world.now)
        world.run(for: .seconds(3))
        let report = world.report
        let sent = world.sent.count
        #expect(report?.mappingVariesByDestination == nil)
        #expect(report?.hasUDP == true)
        #expect(sent == 1)
    }

    @Test("an incremental report asks the nearest three and home only")
    func incremental() {
        var world = World(regions: 1...8)
        for id in 1...8 { world.roundTrips[id] = .milliseconds(Int64(10 * id)) }
        world.engine.start(at: world.now)
        world.run(for: .seconds(4))
        world.sent = []
        world.engine.start(at: world.now)
        world.run(for: .seconds(4))
        let regions = Set(world.sent.map { World.region(of: $0.to) })
        let isFull = world.report?.isFull
        let count = world.sent.count
        #expect(regions == [1, 2, 3])
        #expect(count == 3, "everybody answered, so nothing was asked twice")
        #expect(isFull == false)
        world.run(for: .minutes(5))
        world.sent = []
        world.engine.start(at: world.now)
        world.run(for: .seconds(4))
        let later = Set(world.sent.map { World.region(of: $0.to) })
        #expect(later == Set(1...8), "five minutes later a full one is due")
    }

    @Test("a quick report renews our endpoint in one round trip and keeps what is known")
    func quick() {
        var world = World(regions: 1...5)
        for id in 1...5 { world.roundTrips[id] = .milliseconds(Int64(10 * id)) }
        world.engine.start(at: world.now)
        world.run(for: .seconds(4))
        world.mapped = { _ in Endpoint("203.0.113.9:7777")! }
        world.sent = []
        let start = world.now
        world.engine.startQuick(at: start)
        world.run(for: .seconds(2))
        let report = world.report
        let count = world.sent.count
        #expect(report?.globalIPv4 == [Endpoint("203.0.113.9:7777")!])
        #expect(report.map { $0.finishedAt - start } == .milliseconds(10))
        #expect(report?.latency(of: 3) == .milliseconds(30))
        #expect(report?.homeRelay == 1)
        #expect(count == 2)
    }

    @Test("without any answer the driver is asked to measure the relays, and home follows that")
    func blocked() {
        var world = World(regions: 1...3)
        let start = world.now
        world.engine.start(at: start)
        world.run(for: .milliseconds(3_100))
        let wanted = world.events
        #expect(wanted == [.relayLatencyWanted(regions: [1, 2, 3])])
        world.engine.noteRelayLatency(region: 2, .milliseconds(40), at: world.now)
        world.engine.noteRelayLatency(region: 1, .milliseconds(90), at: world.now)
        world.run(for: .seconds(3))
        let report = world.report
        #expect(report?.hasUDP == false)
        #expect(report?.homeRelay == 2)
        #expect(report.map { $0.finishedAt - start } == .seconds(5))
        let count = world.sent.count
        #expect(count == 15, "five tries for each of three regions")
    }

    @Test("with no measurement at all some region is home, and stays it")
    func nothing() {
        var world = World(regions: 1...3)
        world.engine.start(at: world.now)
        world.run(for: .seconds(6))
        let first = world.engine.homeRelay
        world.engine.start(at: world.now)
        world.run(for: .seconds(6))
        let second = world.engine.homeRelay
        #expect(first != nil)
        #expect(first == second)
    }

    @Test("home changes only for a relay that is nearer by 10 ms and a third")
    func calmHome() {
        func home(after latencies: [Int: Int64]) -> Int? {
            var world = World(regions: 1...2)
            world.roundTrips = [1: .milliseconds(60), 2: .milliseconds(200)]
            world.engine.start(at: world.now)
            world.run(for: .seconds(4))
            world.roundTrips = latencies.mapValues { .milliseconds($0) }
            // The old latencies count for five minutes.
            world.run(for: .minutes(6))
            world.engine.start(at: world.now)
            world.run(for: .seconds(4))
            return world.engine.homeRelay
        }
        #expect(home(after: [1: 60, 2: 50]) == 1, "not much better")
        #expect(home(after: [1: 25, 2: 16]) == 1, "better by less than 10 ms")
        #expect(home(after: [1: 60, 2: 30]) == 2)
        #expect(home(after: [2: 150]) == 2, "the old one is gone")
    }

    @Test("latencies that go up and down do not move home to and fro", arguments: 1...20)
    func flapping(seed: UInt64) {
        var random = SplitMix64(state: seed)
        var world = World(regions: 1...4)
        var changes = 0
        var home: Int?
        // Four relays, 30 ms away, give or take a half, measured anew every half minute for two hours.
        for _ in 0..<240 {
            for region in 1...4 {
                world.roundTrips[region] = .milliseconds(Int64(15 + random.next() % 31))
            }
            world.engine.start(at: world.now)
            world.run(for: .seconds(30))
            if let home, home != world.engine.homeRelay { changes += 1 }
            home = world.engine.homeRelay
        }
        // Whichever is nearest at the moment changes some 180 times.
        #expect(changes <= 4, "home has changed \(changes) times, seed \(seed)")
    }

    @Test("a home that is heard through the relay stays home when STUN fails")
    func heard() {
        var world = World(regions: 1...2)
        world.roundTrips = [1: .milliseconds(10), 2: .milliseconds(20)]
        world.engine.start(at: world.now)
        world.run(for: .seconds(4))
        world.roundTrips = [2: .milliseconds(20)]
        world.engine.start(at: world.now)
        world.engine.noteRelayHeard(region: 1, at: world.now)
        world.run(for: .seconds(4))
        let stays = world.engine.homeRelay
        #expect(stays == 1)
        world.run(for: .minutes(6))
        world.engine.start(at: world.now)
        world.run(for: .seconds(4))
        let moves = world.engine.homeRelay
        #expect(moves == 2)
    }

    @Test("IPv6 servers tell our IPv6 endpoint; where they are silent nobody waits for them")
    func ipv6() {
        var world = World(regions: 1...3, ipv6: true)
        world.roundTrips = [1: .milliseconds(10), 2: .milliseconds(20), 3: .milliseconds(30)]
        world.mapped = { server in
            server.address.isIPv4
                ? Endpoint("203.0.113.9:41641")! : Endpoint("[2001:db8:5::9]:41641")!
        }
        world.engine.start(at: world.now)
        world.run(for: .seconds(4))
        let report = world.report
        #expect(report?.hasIPv6 == true)
        #expect(report?.globalIPv6 == [Endpoint("[2001:db8:5::9]:41641")!])
    }

    @Test(
        "while refreshing a report comes every 20 to 26 seconds in use, every ten minutes idle, none after"
    )
    func refreshing() {
        var world = World(regions: 1...2)
        world.roundTrips = [1: .milliseconds(10), 2: .milliseconds(20)]
        world.engine.start(at: world.now)
        world.engine.startRefreshing(at: world.now)
        world.engine.setInUse(true, at: world.now)
        world.run(for: .minutes(10))
        let found = world.events.compactMap { event -> MonotonicInstant? in
            if case .report(let report) = event { report.finishedAt } else { nil }
        }
        // The second one says that the NAT could not be looked into, and nothing new.
        let times = Set(found).sorted()
        let gaps = zip(times, times.dropFirst()).map { $1 - $0 }
        #expect((20...31).contains(gaps.count))
        #expect(gaps.allSatisfy { $0 >= .seconds(20) && $0 <= .milliseconds(26_200) })
        world.engine.setInUse(false, at: world.now)
        world.events = []
        world.run(for: .minutes(30))
        let idleReports = world.events.count {
            if case .report = $0 { true } else { false }
        }
        #expect((2...3).contains(idleReports))
        world.engine.stopRefreshing()
        world.sent = []
        world.run(for: .minutes(5))
        let sent = world.sent.count
        #expect(sent == 0)
        let deadline = world.engine.nextDeadline
        #expect(deadline == nil)
    }

    @Test("answers that nobody asked for, late or twice, change nothing")
    func foreign() {
        var world = World(regions: 1...1)
        var random = SplitMix64(state: 99)
        let foreign = STUNServerLogic.response(
            to: STUNRequest.encode(STUNTransactionID(random: &random)).span.bytes,
            from: Endpoint("203.0.113.1:5")!)!
        let idle = world.engine.handleResponse(foreign.span.bytes, at: world.now)
        world.engine.start(at: world.now)
        let during = world.engine.handleResponse(foreign.span.bytes, at: world.now)
        let noise = world.engine.handleResponse(
            ([1, 2, 3] as [UInt8]).span.bytes, at: world.now)
        #expect(!idle && !during && !noise)
        let isMeasuring = world.engine.isMeasuring
        #expect(isMeasuring)
    }

    @Test("a region that must not be measured is neither asked nor home")
    func unmeasured() {
        var world = World(regions: 1...1)
        world.engine.setRegions([World.region(1, isMeasured: false), World.region(2)])
        world.roundTrips = [1: .milliseconds(1), 2: .milliseconds(50)]
        world.engine.start(at: world.now)
        world.run(for: .seconds(4))
        let home = world.report?.homeRelay
        let asked = Set(world.sent.map { World.region(of: $0.to) })
        #expect(home == 2)
        #expect(asked == [2])
    }

    @Test("a change of the network makes a full report at once, whatever was under way")
    func linkChange() {
        var world = World(regions: 1...2)
        world.roundTrips = [1: .milliseconds(10), 2: .milliseconds(20)]
        world.engine.start(at: world.now)
        world.run(for: .seconds(4))
        world.engine.startQuick(at: world.now)
        world.mapped = { _ in Endpoint("192.0.2.77:9")! }
        world.engine.handleLinkChange(at: world.now)
        world.run(for: .seconds(4))
        let report = world.report
        #expect(report?.isFull == true)
        #expect(report?.globalIPv4 == [Endpoint("192.0.2.77:9")!])
    }
}
