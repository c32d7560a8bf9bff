import NetReport
import NetTypes
import STUN
import SimulatedNetwork
import Testing

/// One engine behind a simulated NAT, and STUN servers on the internet: one with two addresses and
/// ports, and one that knows nothing of RFC 5780.
private struct NATWorld: ~Copyable {
    var engine: NetReportEngine<SeededRandom>
    var network: SimulatedNetwork
    let node: SimulatedNetwork.HostID
    let servers: [IPAddress: SimulatedNetwork.HostID]
    /// Ports of the probe sockets.
    var probes: [UInt16] = []
    var reports: [NetReport] = []
    var closed = 0
    var packets = 0
    let hasSecondAddress: Bool
    static let nodePort: UInt16 = 41_641
    static let first = IPAddress("198.51.100.1")!
    static let second = IPAddress("198.51.100.2")!
    static let plain = IPAddress("192.0.2.7")!

    init(_ behavior: RouterBehavior, seed: UInt64, hasSecondAddress: Bool = true, loss: Double = 0)
    {
        var network = SimulatedNetwork(seed: seed)
        let far = SimulatedNetwork.Link(delay: .milliseconds(8))
        var servers: [IPAddress: SimulatedNetwork.HostID] = [:]
        for address in [Self.first, Self.second, Self.plain] {
            servers[address] = network.addHost([address], link: far)
        }
        let router = network.addRouter(behavior, outside: [IPAddress("203.0.113.9")!])
        node = network.addHost(
            [IPAddress("192.168.1.5")!], behind: router,
            link: SimulatedNetwork.Link(delay: .milliseconds(2), loss: loss))
        self.network = network
        self.servers = servers
        self.hasSecondAddress = hasSecondAddress
        engine = NetReportEngine(random: SeededRandom(seed: seed ^ 0xABCD))
        var regions = [Self.region(1, IPv4Address(198, 51, 100, 1))]
        if hasSecondAddress { regions.append(Self.region(2, IPv4Address(192, 0, 2, 7))) }
        engine.setRegions(regions)
        engine.setAddressFamilies(.ipv4)
    }

    private static func region(_ id: Int, _ address: IPv4Address) -> RelayRegion {
        RelayRegion(id: id, nodes: [RelayRegion.Node(ipv4: address, ipv6: nil)])
    }

    mutating func run(for duration: Nanoseconds) {
        let end = network.now + duration
        while true {
            drain()
            let due = engine.nextDeadline.map { max($0, network.now) }
            let limit = min(end, due ?? end)
            if let arrival = network.next(until: limit) {
                take(arrival)
            } else if let due, due <= network.now {
                engine.handleTimeout(at: network.now)
            } else if network.now >= end {
                return
            }
        }
    }

    private mutating func drain() {
        while true {
            while let transmit = engine.pollTransmit() {
                packets += 1
                let port = transmit.probeSocket.map { probes[$0] } ?? Self.nodePort
                network.send(transmit.bytes, from: node, port: port, to: transmit.destination)
            }
            guard let event = engine.pollEvent() else { return }
            switch event {
            case .report(let report): reports.append(report)
            case .relayLatencyWanted, .lifetimesLearned: break
            case .probeSocketsWanted(let count):
                probes = (0..<count).map { UInt16(50_000 + 37 * $0 + 100 * closed) }
                engine.handleProbeSockets(ports: probes, at: network.now)
            case .probeSocketsDone: closed += 1
            }
        }
    }

    private mutating func take(_ arrival: SimulatedNetwork.Arrival) {
        guard case .datagram(let host, let local, let source, let payload) = arrival else { return }
        if host == node {
            if local.port == Self.nodePort {
                engine.handleResponse(payload.span.bytes, at: network.now)
            } else if let socket = probes.firstIndex(of: local.port) {
                engine.handleProbeDatagram(
                    payload.span.bytes, socket: socket, from: source, at: network.now)
            }
            return
        }
        guard [3_478, 3_479].contains(local.port) else { return }
        var site: STUNSite?
        if local.address != Self.plain {
            let other = local.address == Self.first ? Self.second : Self.first
            site = STUNSite(
                local: local, alternatePort: local.port == 3_478 ? 3_479 : 3_478,
                alternateAddress: hasSecondAddress ? other : nil)
        }
        var memory = [UInt8](repeating: 0, count: 128)
        var span = memory.mutableSpan
        var raw = span.mutableBytes
        guard
            let reply = try? STUNServerLogic.respond(
                to: payload.span.bytes, from: source, at: site, into: &raw)
        else { return }
        let origin = reply.origin ?? local
        guard let sender = servers[origin.address] else { return }
        network.send(
            Array(memory.prefix(reply.byteCount)), from: sender, port: origin.port,
            to: reply.destination)
    }
}

private let dependences = NATBehavior.Dependence.allCases

private func router(
    _ mapping: NATBehavior.Dependence, _ filtering: NATBehavior.Dependence,
    _ allocation: RouterBehavior.PortAllocation = .preserving, hairpins: Bool = false
) -> RouterBehavior {
    var behavior = RouterBehavior()
    behavior.mapping = mapping
    behavior.filtering = filtering
    behavior.allocation = allocation
    behavior.hairpins = hairpins
    return behavior
}

@Suite("what a NAT does")
struct NATBehaviorTests {
    @Test("every mapping and every filter is named rightly", arguments: dependences, dependences)
    func mappingAndFiltering(
        mapping: NATBehavior.Dependence, filtering: NATBehavior.Dependence
    ) throws {
        for seed: UInt64 in 1...20 {
            var world = NATWorld(router(mapping, filtering, .random), seed: seed)
            world.engine.start(at: world.network.now)
            world.run(for: .seconds(6))
            let found = world.reports.last
            let report = try #require(found)
            #expect(report.nat.mapping == mapping, "seed \(seed)")
            #expect(report.nat.filtering == filtering, "seed \(seed)")
            #expect(report.nat.allocation == .random, "seed \(seed)")
            #expect(report.mappingVariesByDestination == (mapping != .endpointIndependent))
            #expect(report.evidence?.isFilteringBound == false)
        }
    }

    @Test("every way to choose ports is named rightly")
    func allocation() throws {
        for seed: UInt64 in 1...40 {
            for mapping in dependences {
                func found(
                    _ allocation: RouterBehavior.PortAllocation, others: Double = 0
                ) -> NATBehavior.PortAllocation? {
                    var behavior = router(mapping, .addressAndPortDependent, allocation)
                    behavior.otherMappingsPerSecond = others
                    var world = NATWorld(behavior, seed: seed)
                    world.engine.start(at: world.network.now)
                    world.run(for: .seconds(6))
                    return world.reports.last?.nat.allocation
                }
                #expect(found(.preserving) == .preserving, "seed \(seed)")
                #expect(found(.random) == .random, "seed \(seed)")
                #expect(found(.sequential) == .sequential(step: 1), "seed \(seed)")
                guard case .sequential? = found(.sequential, others: 100) else {
                    Issue.record("others' mappings hide the sequence, seed \(seed)")
                    continue
                }
                for size in [64, 512, 2_048] {
                    guard case .contiguousBlock(let block)? = found(.blocks(of: size)) else {
                        Issue.record("no block of \(size), seed \(seed)")
                        continue
                    }
                    #expect(block.count <= 2 * size, "seed \(seed)")
                }
            }
        }
    }

    @Test("hairpinning is seen where there is any, whatever the filter", arguments: dependences)
    func hairpinning(filtering: NATBehavior.Dependence) {
        for seed: UInt64 in 1...20 {
            for hairpins in [true, false] {
                var world = NATWorld(
                    router(.endpointIndependent, filtering, hairpins: hairpins), seed: seed)
                world.engine.start(at: world.network.now)
                world.run(for: .seconds(6))
                let found = world.reports.last?.nat.hairpins
                #expect(found == hairpins, "seed \(seed)")
            }
        }
    }

    @Test("one server with one address tells a hard NAT by its ports, and says what it cannot know")
    func oneAddress() throws {
        for seed: UInt64 in 1...20 {
            for mapping in dependences {
                for filtering in dependences {
                    var world = NATWorld(
                        router(mapping, filtering, .random), seed: seed, hasSecondAddress: false)
                    world.engine.start(at: world.network.now)
                    world.run(for: .seconds(6))
                    let found = world.reports.last
                    let report = try #require(found)
                    let isHard = mapping == .addressAndPortDependent
                    #expect(report.nat.mapping == (isHard ? mapping : nil), "seed \(seed)")
                    let bound = max(filtering.rawValue, 1)
                    #expect(report.nat.filtering?.rawValue == bound, "seed \(seed)")
                    #expect(report.evidence?.isFilteringBound == (bound == 1))
                }
            }
        }
    }

    @Test("one packet in ten lost spoils no more than one name in fifty")
    func loss() {
        var wrong = 0
        for seed: UInt64 in 1...50 {
            var world = NATWorld(
                router(.endpointIndependent, .addressDependent), seed: seed, loss: 0.1)
            world.engine.start(at: world.network.now)
            world.run(for: .seconds(8))
            let nat = world.reports.last?.nat
            if nat?.mapping != .endpointIndependent || nat?.filtering != .addressDependent {
                wrong += 1
            }
        }
        #expect(wrong <= 1)
    }

    @Test("it is looked into once, anew when asked or after a change, and costs little")
    func rhythm() {
        var world = NATWorld(router(.endpointIndependent, .addressAndPortDependent), seed: 3)
        let start = world.network.now
        world.engine.start(at: start)
        world.run(for: .seconds(6))
        #expect(world.closed == 1)
        #expect(world.packets <= 70)
        #expect(world.reports.count == 2)
        #expect(world.reports[1].finishedAt - start < .seconds(3))
        world.engine.start(at: world.network.now)
        world.run(for: .seconds(6))
        #expect(world.closed == 1)
        #expect(world.reports.last?.nat == world.reports[1].nat, "what is known stays")
        world.engine.startThorough(at: world.network.now)
        let isMeasuring = world.engine.isMeasuring
        #expect(isMeasuring)
        world.run(for: .seconds(6))
        let isStill = world.engine.isMeasuring
        #expect(!isStill)
        #expect(world.closed == 2)
        world.engine.handleLinkChange(at: world.network.now)
        world.run(for: .seconds(6))
        #expect(world.closed == 3)
    }

    @Test("sockets that cannot be had end it, and whoever waits gets the report without it")
    func noSockets() {
        var world = NATWorld(router(.endpointIndependent, .addressAndPortDependent), seed: 3)
        world.engine.handleProbeSockets(ports: [1, 2], at: world.network.now)
        var engine = NetReportEngine(random: SeededRandom(seed: 1))
        let nothing: [UInt8] = []
        engine.handleProbeDatagram(
            nothing.span.bytes, socket: 0, from: Endpoint("1.2.3.4:5")!, at: world.network.now)
        let isMeasuring = engine.isMeasuring
        #expect(!isMeasuring)
        world.engine.startThorough(at: world.network.now)
        world.run(for: .milliseconds(1))
        world.engine.handleLinkChange(at: world.network.now)
        world.run(for: .seconds(6))
        #expect(world.reports.last?.nat.filtering == .addressAndPortDependent)
    }
}
