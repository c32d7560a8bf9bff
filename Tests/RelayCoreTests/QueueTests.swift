import DERP
import NetTypes
import RelayCore
import Testing

@Suite struct QueueTests {
    @Test func aReceiverSharesItsLinkBetweenSendersEvenly() {
        var relay = Relay()
        let receiver = relay.connect(0)
        let flood = relay.connect(1)
        let modest = (2...4).map { relay.connect($0) }
        // One sender offers ten times as much as each of the others, in larger packets.
        var counts: [NodeKey: Int] = [:]
        for _ in 0..<400 {
            for _ in 0..<10 { relay.send(flood, to: 0, 1_400, byteCount: 1_400) }
            for id in modest { relay.send(id, to: 0, 300, byteCount: 300) }
            for id in modest { relay.send(id, to: 0, 1_100, byteCount: 1_100) }
            for output in relay.receive(receiver, limit: 4) {
                if case .packet(let source, let size) = output {
                    counts[source, default: 0] += size
                }
            }
        }
        let shares = (1...4).map { Double(counts[nodeKey($0)] ?? 0) }
        let total = shares.reduce(0, +)
        for share in shares { #expect(share / total > 0.2 && share / total < 0.3, "\(shares)") }
    }

    @Test func aSlowReceiverLosesTheOldestAndKeepsMemoryBounded() {
        var relay = Relay()
        let sender = relay.connect(1)
        let receiver = relay.connect(2)
        for payload in 0..<10_000 { relay.send(sender, to: 2, payload, byteCount: 1_400) }
        let waiting = relay.core.queuedBytes
        #expect(waiting <= 512 << 10 && waiting > 500 << 10)
        let received = relay.receive(receiver)
        guard case .packet(_, let first) = received.first, case .packet(_, let last) = received.last
        else { return #expect(Bool(false)) }
        #expect(last == 9_999 && last - first == received.count - 1)
        let dropped = relay.core.statistics[.queueFull]
        #expect(dropped == UInt64(10_000 - received.count))
    }

    @Test func tinyPacketsCountWhatKeepingThemTakes() {
        var relay = Relay()
        let sender = relay.connect(1)
        let receiver = relay.connect(2)
        for payload in 0..<100_000 { relay.send(sender, to: 2, payload, byteCount: 0) }
        let received = relay.receive(receiver)
        #expect(received.count == (512 << 10) / 128)
    }

    @Test func theFullQueueTakesFromWhoFillsIt() {
        var relay = Relay()
        let flood = relay.connect(1)
        let modest = relay.connect(2)
        let receiver = relay.connect(3)
        relay.send(modest, to: 3, 77)
        for _ in 0..<10_000 { relay.send(flood, to: 3) }
        let received = relay.receive(receiver)
        #expect(received.contains(.packet(nodeKey(2), 77)))
    }

    @Test func discoOvertakesDataButCannotStarveIt() {
        var relay = Relay()
        let sender = relay.connect(1)
        let receiver = relay.connect(2)
        for payload in 0..<100 { relay.send(sender, to: 2, payload, byteCount: 1_000) }
        relay.send(sender, to: 2, 1_000, byteCount: 150, isDisco: true)
        let first = relay.receive(receiver, limit: 2)
        #expect(first == [.packet(nodeKey(1), 1_000), .packet(nodeKey(1), 0)])

        var dataCount = 0
        for _ in 0..<1_000 {
            for _ in 0..<4 { relay.send(sender, to: 2, 1_000, byteCount: 1_000, isDisco: true) }
            if case .packet(_, let payload) = relay.receive(receiver, limit: 1).first, payload < 100
            {
                dataCount += 1
            }
        }
        #expect(dataCount > 50)
    }

    @Test func staleAndSurplusPacketsAreDropped() {
        var relay = Relay {
            $0.totalQueueBytesMax = 10_000
            $0.queueAgeMax = .milliseconds(500)
        }
        let sender = relay.connect(1)
        let receiver = relay.connect(2)
        for payload in 0..<20 { relay.send(sender, to: 2, payload, byteCount: 872) }
        let surplus = relay.core.statistics[.memory]
        #expect(surplus == 10)
        relay.now = relay.now + .milliseconds(501)
        relay.send(sender, to: 2, 20, byteCount: 0)
        let none = relay.receive(receiver)
        let stale = relay.core.statistics[.stale]
        #expect(none.isEmpty && stale == 10)
        relay.send(sender, to: 2, 21)
        let fresh = relay.receive(receiver)
        #expect(fresh == [.packet(nodeKey(1), 21)])
    }

    @Test func hundredsOfSendersToOneReceiverAllGetThrough() {
        var relay = Relay()
        let receiver = relay.connect(0)
        let senders = (1...300).map { relay.connect($0) }
        for id in senders { relay.send(id, to: 0, Int(id.index), byteCount: 500) }
        let received = relay.receive(receiver)
        #expect(received.count == 300)
    }

    @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 8] as [UInt64])
    func anyOrderOfEventsKeepsTheBookkeeping(seed: UInt64) {
        var relay = Relay {
            $0.dataQueueBytesMax = 8_000
            $0.discoQueueBytesMax = 4_000
            $0.totalQueueBytesMax = 40_000
            $0.connectionsPerKeyMax = 3
            $0.watchersMax = 5
        }
        var random = SeededRandom(seed: seed &* 77)
        var connections: [ConnectionID] = []
        var sent: UInt64 = 0
        for _ in 0..<20_000 {
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<5 where connections.count < 30:
                connections.append(relay.connect(Int.random(in: 0..<12, using: &random)))
            case 5..<8 where !connections.isEmpty:
                let index = Int.random(in: 0..<connections.count, using: &random)
                relay.core.disconnect(connections.remove(at: index))
            case 8..<70 where !connections.isEmpty:
                sent += 1
                relay.send(
                    connections.randomElement(using: &random)!,
                    to: Int.random(in: 0..<14, using: &random),
                    byteCount: Int.random(in: 0..<2_000, using: &random),
                    isDisco: Bool.random(using: &random))
            case 70..<95 where !connections.isEmpty:
                let id = connections.randomElement(using: &random)!
                _ = relay.receive(id, limit: Int.random(in: 0..<20, using: &random))
            case 95..<97 where !connections.isEmpty:
                relay.core.noteBlocked(connections.randomElement(using: &random)!, at: relay.now)
            default:
                relay.advance(.milliseconds(Int64.random(in: 0..<900, using: &random)))
            }
            for case .close(let id, _) in relay.events() {
                relay.core.disconnect(id)
                connections.removeAll { $0 == id }
            }
            let waiting = relay.core.queuedBytes
            #expect(waiting <= 40_000)
        }
        for id in connections { _ = relay.receive(id) }
        let waiting = relay.core.queuedBytes
        let statistics = relay.core.statistics
        // A message of the relay that found its queue full is not one of the packets.
        let dropped = statistics.packetsDropped - statistics[.messageQueueFull]
        #expect(waiting == 0, "seed \(seed)")
        #expect(statistics.packetsReceived == sent, "seed \(seed)")
        #expect(statistics.packetsSent + dropped == sent, "seed \(seed)")
        for id in connections { relay.core.disconnect(id) }
        let clients = relay.core.clientCount
        #expect(clients == 0)
    }

    /// A receiver whose link takes `capacity` packets each millisecond while `offered` arrive: what it
    /// gets of what it can take, and the largest share of one sender.
    private func load(offered: Int, capacity: Int) -> (
        goodput: Double, largestShare: Double
    ) {
        var relay = Relay { $0.queueAgeMax = .milliseconds(200) }
        let receiver = relay.connect(0)
        // One of them sends ten times what each other one does.
        let senders = (1...9).map { relay.connect($0) }
        var delivered = 0
        var bySender: [NodeKey: Int] = [:]
        for step in 0..<2_000 {
            for number in 0..<offered {
                let sender = number % 18 < 10 ? 0 : number % 18 - 9
                relay.send(senders[sender], to: 0, step)
            }
            for output in relay.receive(receiver, limit: capacity) {
                guard case .packet(let source, _) = output else { continue }
                delivered += 1
                bySender[source, default: 0] += 1
            }
            relay.advance(.milliseconds(1))
        }
        let total = Double(2_000 * capacity)
        return (Double(delivered) / total, Double(bySender.values.max() ?? 0) / total)
    }

    @Test func threeTimesTheLoadDeliversAsMuchAsTheLinkCarries() {
        let full = load(offered: 20, capacity: 20)
        let triple = load(offered: 60, capacity: 20)
        #expect(full.goodput > 0.95)
        #expect(triple.goodput >= 0.99 * full.goodput)
        // Nine senders want more than their share; the loud one gets no more than the others.
        #expect(triple.largestShare < 0.16)
    }

    @Test func whoHasHisShareOfAFullQueueWaitsForTheReceiverUnlessThatIsStuck() {
        var relay = Relay { $0.dataQueueBytesMax = 100_000 }
        let greedy = relay.connect(1)
        let modest = relay.connect(2)
        let receiver = relay.connect(3)
        func send(_ sender: ConnectionID, _ byteCount: Int) -> ConnectionID? {
            relay.core.handlePacket(
                from: sender, to: nodeKey(3), 0, byteCount: byteCount, isDisco: false,
                at: relay.now)
        }
        var waitsFor: ConnectionID?
        var sent = 0
        while waitsFor == nil, sent < 100 {
            waitsFor = send(greedy, 1_000)
            sent += 1
        }
        #expect(waitsFor == receiver && (40...60).contains(sent))
        let modestWaits = send(modest, 1_000)
        #expect(modestWaits == nil)
        let isFull = !relay.core.hasRoom(receiver)
        _ = relay.receive(receiver, limit: 40)
        let hasRoom = relay.core.hasRoom(receiver)
        #expect(isFull && hasRoom)

        // One that accepts nothing holds nobody up.
        relay.core.noteBlocked(receiver, at: relay.now)
        var waits = 0
        for _ in 0..<200 where send(greedy, 1_000) != nil { waits += 1 }
        let dropped = relay.core.statistics[.queueFull]
        #expect(waits == 0 && dropped > 0)
        relay.core.disconnect(receiver)
        let isGone = relay.core.hasRoom(receiver)
        #expect(isGone)
    }

    @Test func packetsThatArriveTogetherAreCountedOneByOne() {
        var relay = Relay { $0.dataQueueBytesMax = 10_000 }
        let sender = relay.connect(1)
        let receiver = relay.connect(2)
        for _ in 0..<4 {
            relay.core.handlePacket(
                from: sender, to: nodeKey(2), 0, byteCount: 3_000, packetCount: 3, isDisco: false,
                at: relay.now)
        }
        let got = relay.receive(receiver).count
        let statistics = relay.core.statistics
        #expect(got == 3)
        #expect(statistics.packetsReceived == 12 && statistics.packetsSent == 9)
        #expect(statistics[.queueFull] == 3)
    }
}
