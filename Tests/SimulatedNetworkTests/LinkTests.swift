import NetTypes
import SimulatedNetwork
import Testing

@Suite("simulated links and hosts")
struct LinkTests {
    private let first = Endpoint("198.51.100.1:1")!
    private let second = Endpoint("198.51.100.2:2")!

    private struct Pair: ~Copyable {
        var network: SimulatedNetwork
        let one: SimulatedNetwork.HostID
        let other: SimulatedNetwork.HostID
    }

    private func pair(_ link: SimulatedNetwork.Link, seed: UInt64 = 1) -> Pair {
        var network = SimulatedNetwork(seed: seed)
        let one = network.addHost([first.address], link: link)
        let other = network.addHost([second.address], link: .init(delay: .zero))
        return Pair(network: network, one: one, other: other)
    }

    /// What arrives of these payload sizes, in order, and when.
    private func arrivals(
        _ pair: inout Pair, _ sizes: [Int], back: Bool = false, every gap: Nanoseconds = .zero
    ) -> [(size: Int, after: Nanoseconds)] {
        var result: [(Int, Nanoseconds)] = []
        let start = pair.network.now
        func collect(until limit: MonotonicInstant, _ pair: inout Pair) {
            while case .datagram(_, _, _, let payload) = pair.network.next(until: limit) {
                result.append((payload.count, pair.network.now - start))
            }
        }
        for size in sizes {
            let payload = [UInt8](repeating: 0, count: size)
            if back {
                pair.network.send(payload, from: pair.other, port: 2, to: first)
            } else {
                pair.network.send(payload, from: pair.one, port: 1, to: second)
            }
            collect(until: pair.network.now + gap, &pair)
        }
        collect(until: pair.network.now + .seconds(5), &pair)
        return result
    }

    @Test("a packet takes the delay of the links it passes, and jitter adds at most its own")
    func delay() {
        var calm = pair(.init(delay: .milliseconds(7)))
        let exact = arrivals(&calm, [10])
        #expect(exact.map(\.after) == [.milliseconds(7)])
        var shaky = pair(.init(delay: .milliseconds(7), jitter: .milliseconds(5)))
        let times = arrivals(&shaky, Array(1...200), every: .milliseconds(10))
        let delays = times.map { $0.after - .milliseconds(Int64($0.size - 1) * 10) }
        #expect(delays.count == 200)
        #expect(delays.allSatisfy { $0 >= .milliseconds(7) && $0 < .milliseconds(12) })
        #expect(Set(delays).count > 100)
    }

    @Test("jitter keeps the order, reordering does not, in about the share that is said")
    func order() {
        var shaky = pair(.init(delay: .milliseconds(5), jitter: .milliseconds(20)))
        let kept = arrivals(&shaky, Array(1...300), every: .milliseconds(1)).map(\.size)
        #expect(kept == Array(1...300))
        var wild = pair(.init(delay: .milliseconds(5), reordering: 0.2))
        let mixed = arrivals(&wild, Array(1...300), every: .milliseconds(1)).map(\.size)
        #expect(mixed.count == 300 && mixed != kept)
        let overtaken = zip(mixed, mixed.dropFirst()).count { $0 > $1 }
        #expect((30...90).contains(overtaken), "\(overtaken) of 300")
    }

    @Test("loss loses its share, and another in each run")
    func loss() {
        var lossy = pair(.init(delay: .zero, loss: 0.1), seed: 1)
        let one = arrivals(&lossy, Array(1...2_000)).map(\.size)
        var again = pair(.init(delay: .zero, loss: 0.1), seed: 2)
        let other = arrivals(&again, Array(1...2_000)).map(\.size)
        #expect((1_740...1_860).contains(one.count))
        #expect(one != other)
        #expect(lossy.network.lostCount(.chance) == 2_000 - one.count)
    }

    @Test("what is longer than the MTU vanishes, in its direction only")
    func mtu() {
        var link = SimulatedNetwork.Link(delay: .zero)
        link.mtuUp = 1_280
        link.mtuDown = 1_400
        var narrow = pair(link)
        // 28 bytes are IP and UDP header.
        let up = arrivals(&narrow, [100, 1_252, 1_253, 1_500]).map(\.size)
        let down = arrivals(&narrow, [1_252, 1_372, 1_373, 100], back: true).map(\.size)
        #expect(up == [100, 1_252])
        #expect(down == [1_252, 1_372, 100])
        #expect(narrow.network.lostCount(.tooLarge) == 3)
    }

    @Test("cuts act on one direction, on both, or on large packets only, until mended")
    func cuts() {
        var world = pair(.init(delay: .zero))
        world.network.cut(from: world.one, to: world.other)
        var out = arrivals(&world, [1, 2]).map(\.size)
        var back = arrivals(&world, [1, 2], back: true).map(\.size)
        #expect(out == [] && back == [1, 2])
        world.network.mend(world.one, world.other)
        world.network.limitPayload(from: world.one, to: world.other, byteCount: 500)
        out = arrivals(&world, [500, 501]).map(\.size)
        back = arrivals(&world, [500, 501], back: true).map(\.size)
        #expect(out == [500] && back == [500, 501])
        world.network.cut(world.one, world.other)
        out = arrivals(&world, [1]).map(\.size)
        back = arrivals(&world, [1], back: true).map(\.size)
        #expect(out == [] && back == [])
        world.network.mend(world.one, world.other)
        out = arrivals(&world, [501]).map(\.size)
        #expect(out == [501])
    }

    @Test("a sleeping host gets nothing and sends nothing; awake it does again")
    func suspended() {
        var world = pair(.init(delay: .zero))
        world.network.suspend(world.one)
        var out = arrivals(&world, [1]).count
        var back = arrivals(&world, [1], back: true).count
        #expect(out == 0 && back == 0 && world.network.lostCount(.suspended) == 2)
        world.network.resume(world.one)
        out = arrivals(&world, [1]).count
        back = arrivals(&world, [1], back: true).count
        #expect(out == 1 && back == 1)
    }

    @Test("a host that moves loses what is on the way to its old address")
    func roaming() {
        var world = pair(.init(delay: .milliseconds(10)))
        world.network.send([1], from: world.other, port: 2, to: first)
        _ = world.network.next(until: world.network.now + .milliseconds(5))
        let new = Endpoint("198.51.100.77:1")!
        world.network.move(world.one, to: [new.address], behind: nil)
        let late = world.network.next(until: world.network.now + .seconds(1))
        #expect(late == nil)
        world.network.send([2], from: world.other, port: 2, to: new)
        let arrival = world.network.next(until: world.network.now + .seconds(1))
        #expect(
            arrival == .datagram(to: world.one, local: new, from: second, payload: [2]))
    }

    @Test("the trace tells what was sent, what arrived and why something did not")
    func trace() {
        var world = pair(.init(delay: .zero))
        world.network.isTracing = true
        _ = arrivals(&world, [3])
        world.network.cut(world.one, world.other)
        _ = arrivals(&world, [4])
        #expect(world.network.trace.map(\.what) == [.sent, .arrived, .sent, .lost(.cut)])
        #expect(world.network.trace.map(\.payload.count) == [3, 3, 4, 4])
    }
}
