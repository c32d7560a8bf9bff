import NetTypes
import SimulatedNetwork
import Testing

/// Each property of a NAT shows what its name says, whatever the others are.
@Suite("properties of simulated NATs")
struct NATTests {
    typealias Dependence = NATBehavior.Dependence

    /// All nine pairs of mapping and filtering.
    static let kinds = Dependence.allCases.flatMap { mapping in
        Dependence.allCases.map { (mapping, $0) }
    }

    // MARK: Mapping and filtering

    @Test("a mapping is shared by exactly the destinations that its kind says", arguments: kinds)
    func mapping(mapping: Dependence, filtering: Dependence) {
        var scene = Scene(.nat(mapping, filtering))
        let first = scene.mapping()
        let otherPort = scene.mapping(to: 0, port: 2)
        let otherAddress = scene.mapping(to: 1, port: 1)
        let again = scene.mapping()
        let otherSocket = scene.mapping(from: 5_001)
        #expect(first?.address == Scene.outside)
        #expect(first == again)
        #expect((first == otherPort) == (mapping != .addressAndPortDependent))
        #expect((first == otherAddress) == (mapping == .endpointIndependent))
        #expect(first != otherSocket)
    }

    @Test("a mapping lets in exactly whom its filter says, whatever it maps", arguments: kinds)
    func filtering(mapping: Dependence, filtering: Dependence) throws {
        var scene = Scene(.nat(mapping, filtering))
        let mapped = scene.mapping()
        let outside = try #require(mapped)
        let same = scene.admits(outside)
        let otherPort = scene.admits(outside, port: 2)
        let otherAddress = scene.admits(outside, from: 1)
        let unmapped = scene.admits(Endpoint(Scene.outside, port: outside.port ^ 1))
        #expect(same)
        #expect(otherPort == (filtering != .addressAndPortDependent))
        #expect(otherAddress == (filtering == .endpointIndependent))
        #expect(!unmapped)
    }

    @Test("what has been sent to is let in, but not what another socket has sent to")
    func filterBySocket() throws {
        var scene = Scene(.nat(.endpointIndependent, .addressDependent))
        let mapped = scene.mapping(from: 5_000, to: 0)
        let other = scene.mapping(from: 5_001, to: 1)
        let (one, two) = (try #require(mapped), try #require(other))
        let isOpen = scene.admits(one, from: 0)
        let isClosed = scene.admits(two, from: 0)
        #expect(isOpen && !isClosed)
    }

    // MARK: Ports

    @Test("preserving: the inside port, and another for a second host with the same")
    func preserving() {
        var scene = Scene(.nat(.endpointIndependent, .endpointIndependent, .preserving), hosts: 2)
        let first = scene.mapping(of: 0)
        let second = scene.mapping(of: 1)
        #expect(first?.port == 5_000)
        #expect(second != nil && second?.port != 5_000)
    }

    @Test("sequential: each new mapping gets the next port, whichever host it is of")
    func sequential() throws {
        var scene = Scene(
            .nat(.addressAndPortDependent, .addressAndPortDependent, .sequential), hosts: 2)
        let ports = (1...20).compactMap { scene.mapping(of: $0 % 2, port: UInt16($0))?.port }
        let first = try #require(ports.first)
        #expect(ports == (0..<20).map { first + UInt16($0) })
    }

    @Test("sequential among others: the step is what they take, on average")
    func busy() throws {
        var behavior = RouterBehavior.nat(
            .addressAndPortDependent, .addressAndPortDependent, .sequential)
        behavior.otherMappingsPerSecond = 10
        var scene = Scene(behavior)
        var ports: [Int] = []
        for port: UInt16 in 1...101 {
            ports += scene.mapping(port: port).map { [Int($0.port)] } ?? []
            scene.wait(.seconds(1))
        }
        let range = 65_536 - 1_024
        let steps = zip(ports, ports.dropFirst()).map { ($1 - $0 + range) % range }
        #expect(steps.count == 100)
        #expect(steps.allSatisfy { (1...22).contains($0) })
        let mean = Double(steps.reduce(0, +)) / 100
        #expect((9...13).contains(mean), "one for ourselves, ten for the others: \(mean)")
    }

    @Test("random: all over the range, none twice, nothing follows from the last")
    func random() {
        var scene = Scene(.nat(.addressAndPortDependent, .addressAndPortDependent, .random))
        let ports = (1...400).compactMap { scene.mapping(port: UInt16($0)).map { Int($0.port) } }
        #expect(Set(ports).count == 400)
        #expect(ports.allSatisfy { $0 >= 1_024 })
        let quarters = (0..<4).map { quarter in ports.count { ($0 - 1_024) / 16_128 == quarter } }
        #expect(quarters.allSatisfy { (60...140).contains($0) }, "\(quarters)")
        let near = zip(ports, ports.dropFirst()).count { abs($0 - $1) < 1_000 }
        #expect(near < 40)
    }

    @Test("blocks: a host's ports lie in a block of its own, and in a further one when it is full")
    func blocks() throws {
        var scene = Scene(
            .nat(.addressAndPortDependent, .addressAndPortDependent, .blocks(of: 64)), hosts: 2)
        func block(_ port: UInt16) -> Int { (Int(port) - 1_024) / 64 }
        let first = (1...64).compactMap { scene.mapping(of: 0, port: UInt16($0))?.port }
        let other = (1...64).compactMap { scene.mapping(of: 1, port: UInt16($0))?.port }
        let further = scene.mapping(of: 0, port: 65)
        #expect(Set(first).count == 64 && Set(first.map(block)).count == 1)
        #expect(Set(other).count == 64 && Set(other.map(block)).count == 1)
        #expect(block(first[0]) != block(other[0]))
        let last = try #require(further)
        #expect(block(last.port) != block(first[0]))
        #expect(Array(first.sorted()) != first, "within the block the order is random")
    }

    // MARK: Lifetime and tables

    @Test("a mapping without packets lives as long as it is said to", arguments: [30, 120, 300])
    func lifetime(seconds: Int64) throws {
        for (age, isAlive) in [(seconds - 3, true), (seconds + 1, false)] {
            var behavior = RouterBehavior.nat(.endpointIndependent, .addressAndPortDependent)
            behavior.mappingLifetime = .seconds(seconds)
            var scene = Scene(behavior)
            let mapped = scene.mapping()
            let outside = try #require(mapped)
            scene.wait(.seconds(age))
            let isOpen = scene.admits(outside)
            #expect(isOpen == isAlive, "\(seconds) s, after \(age) s")
        }
    }

    @Test("packets out renew a mapping always, packets in where it is said")
    func refresh() throws {
        for inboundRefreshes in [true, false] {
            var behavior = RouterBehavior.nat(.endpointIndependent, .addressAndPortDependent)
            behavior.mappingLifetime = .seconds(30)
            behavior.inboundRefreshes = inboundRefreshes
            var scene = Scene(behavior)
            let mapped = scene.mapping()
            let outside = try #require(mapped)
            for _ in 0..<3 {
                scene.wait(.seconds(25))
                let again = scene.mapping()
                #expect(again == outside)
            }
            scene.wait(.seconds(20))
            _ = scene.admits(outside)
            scene.wait(.seconds(20))
            let isOpen = scene.admits(outside)
            #expect(isOpen == inboundRefreshes)
        }
    }

    @Test("each remote has a time of its own: a busy one keeps no other's way open")
    func flowsExpireAlone() throws {
        var behavior = RouterBehavior.nat(.endpointIndependent, .addressAndPortDependent)
        behavior.mappingLifetime = .seconds(30)
        var scene = Scene(behavior)
        let mapped = scene.mapping(to: 0)
        let outside = try #require(mapped)
        _ = scene.mapping(to: 1)
        for _ in 0..<4 {
            scene.wait(.seconds(10))
            _ = scene.mapping(to: 0)
        }
        let busy = scene.admits(outside, from: 0)
        let quiet = scene.admits(outside, from: 1)
        #expect(busy && !quiet)
    }

    @Test(
        "after it expired a mapping gets another port, where that is said",
        arguments: [RouterBehavior.PortAllocation.preserving, .random, .blocks(of: 64)])
    func portChange(allocation: RouterBehavior.PortAllocation) throws {
        for changes in [true, false] {
            var behavior = RouterBehavior.nat(
                .endpointIndependent, .addressAndPortDependent, allocation)
            behavior.mappingLifetime = .seconds(30)
            behavior.changesPortOnExpiry = changes
            var scene = Scene(behavior)
            let first = scene.mapping()
            scene.wait(.seconds(40))
            let second = scene.mapping()
            #expect(first != nil && second != nil)
            if changes { #expect(first != second) }
            if !changes, allocation == .preserving { #expect(first == second) }
        }
    }

    @Test("a full table refuses new flows, and takes them when old ones have expired")
    func refuse() {
        var behavior = RouterBehavior.nat(.endpointIndependent, .addressAndPortDependent)
        behavior.tableCapacity = 8
        behavior.mappingLifetime = .seconds(30)
        var scene = Scene(behavior)
        let taken = (1...10).map { scene.mapping(port: UInt16($0)) != nil }
        #expect(taken == Array(repeating: true, count: 8) + [false, false])
        #expect(scene.network.lostCount(.tableFull) == 2)
        let old = scene.mapping(port: 1)
        #expect(old != nil)
        let load = scene.network.tableLoad(of: scene.router)
        #expect(load.flows == 8 && load.mappings == 1)
        scene.wait(.seconds(31))
        let new = scene.mapping(port: 10)
        #expect(new != nil)
    }

    @Test("a full table that forgets: the flow that was quiet for longest goes")
    func forgetOldest() throws {
        var behavior = RouterBehavior.nat(.endpointIndependent, .addressAndPortDependent)
        behavior.tableCapacity = 8
        behavior.tableOverflow = .forgetOldest
        var scene = Scene(behavior)
        let mapped = scene.mapping(port: 1)
        let outside = try #require(mapped)
        for port: UInt16 in 2...8 { _ = scene.mapping(port: port) }
        _ = scene.mapping(port: 1)
        let ninth = scene.mapping(port: 9)
        #expect(ninth == outside)
        let renewed = scene.admits(outside, port: 1)
        let oldest = scene.admits(outside, port: 2)
        let next = scene.admits(outside, port: 3)
        #expect(renewed && !oldest && next)
    }

    @Test("a restart forgets all mappings, and may bring another address")
    func restart() throws {
        var scene = Scene(.easy)
        let mapped = scene.mapping()
        let outside = try #require(mapped)
        scene.network.restart(scene.router, outside: [address("203.0.113.77")])
        let isOpen = scene.admits(outside)
        #expect(!isOpen)
        let new = scene.mapping()
        #expect(new?.address == address("203.0.113.77"))
    }

    // MARK: Inside

    @Test("a hairpin shows the outside endpoint as source, and obeys the filter")
    func hairpin() throws {
        for filtering in NATBehavior.Dependence.allCases {
            var behavior = RouterBehavior.nat(.endpointIndependent, filtering, .preserving)
            behavior.hairpins = true
            var scene = Scene(behavior, hosts: 2)
            let mapped = scene.mapping(of: 0, from: 5_000)
            let outside = try #require(mapped)
            scene.network.send([7], from: scene.insides[1], port: 6_000, to: outside)
            let arrival = scene.network.next(until: scene.network.now + .seconds(1))
            guard filtering == .endpointIndependent else {
                #expect(arrival == nil)
                continue
            }
            #expect(
                arrival
                    == .datagram(
                        to: scene.insides[0], local: Endpoint(Scene.inside(0), port: 5_000),
                        from: Endpoint(Scene.outside, port: 6_000), payload: [7]))
        }
    }

    @Test("a guest network keeps its hosts apart")
    func isolation() {
        for isolates in [true, false] {
            var behavior = RouterBehavior.easy
            behavior.isolatesHosts = isolates
            var scene = Scene(behavior, hosts: 2)
            scene.network.send(
                [1], from: scene.insides[0], port: 1, to: Endpoint(Scene.inside(1), port: 2))
            let arrival = scene.network.next(until: scene.network.now + .seconds(1))
            #expect((arrival == nil) == isolates)
        }
    }

    @Test("a forwarded port lets anybody in, and answers come from it")
    func forward() {
        var scene = Scene(.hard)
        let isForwarded = scene.network.forward(
            4_321, to: Endpoint(Scene.inside(0), port: 5_000), on: scene.router)
        let isTakenTwice = scene.network.forward(
            4_321, to: Endpoint(Scene.inside(0), port: 5_001), on: scene.router)
        #expect(isForwarded && !isTakenTwice)
        let isOpen = scene.admits(Endpoint(Scene.outside, port: 4_321), from: 1, port: 9)
        #expect(isOpen)
        let answer = scene.mapping(to: 1, port: 9)
        #expect(answer == Endpoint(Scene.outside, port: 4_321))
        scene.network.stopForwarding(4_321, on: scene.router)
        let isClosed = !scene.admits(Endpoint(Scene.outside, port: 4_321), from: 1, port: 9)
        #expect(isClosed)
    }
}
