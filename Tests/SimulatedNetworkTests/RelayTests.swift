import NetTypes
import SimulatedNetwork
import Testing

@Suite("simulated relays")
struct RelayTests {
    private struct World: ~Copyable {
        var network: SimulatedNetwork
        let one: SimulatedNetwork.HostID
        let other: SimulatedNetwork.HostID
        let keys = (1...2).map { NodeKey(Bytes32(Array(repeating: UInt8($0), count: 32))) }

        init(_ link: SimulatedNetwork.Link, behind behavior: RouterBehavior? = nil) {
            network = SimulatedNetwork(seed: 1)
            network.addRelay(region: 1, delay: .milliseconds(5))
            var router: SimulatedNetwork.RouterID?
            if let behavior {
                router = network.addRouter(behavior, outside: [address("203.0.113.1")])
            }
            one = network.addHost([address("192.168.1.2")], behind: router, link: link)
            other = network.addHost(
                [address("198.51.100.2")], link: .init(delay: .milliseconds(10)))
            network.connect(keys[0], on: one, toRelays: [1])
            network.connect(keys[1], on: other, toRelays: [1])
        }

        /// Numbers of the packets that arrive, and when.
        mutating func send(
            _ numbers: Range<UInt8>, byteCount: Int = 1, every gap: Nanoseconds = .zero
        ) -> [(number: UInt8, after: Nanoseconds)] {
            let start = network.now
            var result: [(UInt8, Nanoseconds)] = []
            for number in numbers {
                let payload = [number] + [UInt8](repeating: 0, count: byteCount - 1)
                network.relay(payload, region: 1, from: keys[0], on: one, to: keys[1])
                collect(until: network.now + gap, since: start, into: &result)
            }
            collect(until: network.now + .seconds(20), since: start, into: &result)
            return result
        }

        private mutating func collect(
            until limit: MonotonicInstant, since start: MonotonicInstant,
            into result: inout [(UInt8, Nanoseconds)]
        ) {
            while let arrival = network.next(until: limit) {
                guard case .relayed(_, _, _, let payload) = arrival else { continue }
                result.append((payload[0], network.now - start))
            }
        }
    }

    @Test("a packet takes both ways to the relay, also where UDP is blocked")
    func delay() {
        for behavior in [nil, RouterBehavior.udpBlocked] {
            var world = World(.init(delay: .milliseconds(20)), behind: behavior)
            let arrived = world.send(0..<1)
            // 20 + 5 up, 5 + 10 down, and the relay's own tenth of a millisecond.
            #expect(arrived.map(\.after) == [.microseconds(40_100)])
        }
    }

    @Test("lossy links make packets late, not lost, and keep their order")
    func reliable() {
        var world = World(.init(delay: .milliseconds(20), loss: 0.2))
        let arrived = world.send(0..<200, every: .milliseconds(10))
        #expect(arrived.map(\.number) == Array(0..<200))
        let latest = arrived.map { $0.after - .milliseconds(Int64($0.number) * 10) }.max()
        #expect(latest ?? .zero > .milliseconds(240))
    }

    @Test("the queue for a receiver is bounded, and drains at the relay's speed")
    func queue() {
        var world = World(.init(delay: .zero))
        var behavior = RelayBehavior(delay: .milliseconds(5))
        behavior.bytesPerSecond = 10_000
        behavior.queueBytesMax = 5_000
        world.network.setRelay(behavior, region: 1)
        let arrived = world.send(0..<20, byteCount: 1_000)
        // One is on the wire, five wait.
        #expect(arrived.map(\.number) == Array(0..<6))
        #expect(world.network.relayCounts.dropped == 14)
        #expect((590...640).contains(arrived.last?.after.inMilliseconds ?? 0))
    }

    @Test("a relay says when the receiver is not connected")
    func gone() {
        var world = World(.init(delay: .milliseconds(20)))
        world.network.disconnectRelays(world.keys[1])
        world.network.relay([1], region: 1, from: world.keys[0], on: world.one, to: world.keys[1])
        let arrival = world.network.next(until: world.network.now + .seconds(1))
        #expect(arrival == .relayPeerGone(to: world.one, region: 1, world.keys[1]))
    }

    @Test("a new connection takes four round trips; what is sent meanwhile waits for it")
    func dial() {
        var world = World(.init(delay: .milliseconds(20)))
        world.network.reconnectRelays(world.keys[0])
        let arrived = world.send(0..<1)
        #expect(arrived.map(\.after) == [.microseconds(4 * 50_000 + 40_100)])
    }

    @Test("a receiver that connects anew is not there until it is")
    func receiverDials() {
        var world = World(.init(delay: .zero))
        world.network.reconnectRelays(world.keys[1])
        let arrived = world.send(0..<20, every: .milliseconds(10)).map(\.number)
        // Four round trips of 30 ms; a packet takes 5 ms to the relay.
        #expect(arrived == Array(12..<20))
    }

    @Test("a relay that is down delivers nothing")
    func down() {
        var world = World(.init(delay: .zero))
        var behavior = RelayBehavior(delay: .milliseconds(5))
        behavior.isUp = false
        world.network.setRelay(behavior, region: 1)
        let arrived = world.send(0..<3)
        #expect(arrived.isEmpty)
    }
}
