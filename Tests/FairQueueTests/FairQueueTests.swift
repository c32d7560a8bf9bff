import FairQueue
import NetTypes
import Testing

struct FairQueueTests {
    private let start = MonotonicInstant(nanoseconds: 1_000_000_000)

    /// All that comes out, in order.
    private func drain(_ queue: inout FairQueue) -> [Int] {
        var slots: [Int] = []
        while let slot = queue.popNext() { slots.append(slot) }
        return slots
    }

    @Test func `Packets of a flow keep their order`() {
        var queue = FairQueue(slotCount: 100)
        for slot in 0..<100 { queue.append(slot, cost: 60_000, flow: 7, at: start) }
        let slots = drain(&queue)
        #expect(slots == Array(0..<100))
        let isEmpty = queue.isEmpty
        #expect(isEmpty)
    }

    @Test func `A flow that sends little passes the backlog of others`() {
        var queue = FairQueue(slotCount: 41)
        for slot in 0..<40 { queue.append(slot, cost: 65_000, flow: UInt64(slot % 4), at: start) }
        // The backlog has had its first turns.
        for _ in 0..<8 { _ = queue.popNext() }
        queue.append(40, cost: 100, flow: 99, at: start)
        let next = queue.popNext()
        #expect(next == 40)
    }

    @Test func `Flows share by bytes, not by packets`() {
        var queue = FairQueue(slotCount: 1000)
        var sent = [0, 0]
        for slot in 0..<1000 {
            queue.append(
                slot, cost: slot < 100 ? 64_000 : 1_200, flow: slot < 100 ? 1 : 2, at: start)
        }
        for _ in 0..<500 {
            guard let slot = queue.popNext() else { break }
            sent[slot < 100 ? 0 : 1] += slot < 100 ? 64_000 : 1_200
        }
        #expect(abs(sent[0] - sent[1]) <= 64_000 + FairQueue.quantum)
    }

    @Test func `A flow that comes again and again does not starve the others`() {
        var queue = FairQueue(slotCount: 100)
        for slot in 0..<50 { queue.append(slot, cost: 60_000, flow: 1, at: start) }
        var served = 0
        for round in 0..<200 {
            // Just idle when it comes back, each time with less than a turn.
            queue.append(50 + round % 50, cost: 10_000, flow: 2, at: start)
            for _ in 0..<2 {
                if let slot = queue.popNext(), slot < 50 { served += 1 }
            }
        }
        #expect(served == 50)
    }

    @Test func `Room is made at the cost of the costliest flow, oldest first`() {
        var queue = FairQueue(slotCount: 20)
        for slot in 0..<10 { queue.append(slot, cost: 1_000, flow: 1, at: start) }
        for slot in 10..<20 { queue.append(slot, cost: 2_000, flow: 2, at: start) }
        let victims = (0..<6).compactMap { _ in queue.popOfCostliest() }
        #expect(victims[..<5] == [10, 11, 12, 13, 14])
        let rest = drain(&queue)
        #expect(Set(victims + rest) == Set(0..<20))
        #expect(victims.count + rest.count == 20)
    }

    @Test func `A flow of many packets makes room only while others are there`() {
        var queue = FairQueue(slotCount: 12)
        for slot in 0..<8 { queue.append(slot, cost: 1_000, flow: 1, at: start) }
        let alone = queue.popOfMostNumerous(at: start)
        #expect(alone == nil)
        for slot in 8..<10 { queue.append(slot, cost: 60_000, flow: 2, at: start) }
        let shared = queue.popOfMostNumerous(at: start + .milliseconds(99))
        #expect(shared == 0)
        let later = queue.popOfMostNumerous(at: start + .milliseconds(100))
        #expect(later == nil)
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func `Whatever is added comes out once, in its flow's order`(seed: UInt64) {
        var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
        func random(_ bound: Int) -> Int {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return Int(state % UInt64(bound))
        }
        var queue = FairQueue(slotCount: 64)
        var free = Array(0..<64)
        var numbers = [Int](repeating: 0, count: 64)
        var flowOf = [Int](repeating: 0, count: 64)
        var last = [Int](repeating: 0, count: 1000)
        var added = 0
        var removed = 0
        var isOrdered = true
        for _ in 0..<20_000 {
            if random(2) == 0, let slot = free.popLast() {
                added += 1
                numbers[slot] = added
                flowOf[slot] = random(1 + random(300))
                queue.append(
                    slot, cost: random(66_000), flow: UInt64(flowOf[slot]), at: start)
            } else if let slot = random(10) == 0 ? queue.popOfCostliest() : queue.popNext() {
                removed += 1
                isOrdered = isOrdered && last[flowOf[slot]] < numbers[slot]
                last[flowOf[slot]] = numbers[slot]
                free.append(slot)
            }
        }
        removed += drain(&queue).count
        #expect(isOrdered)
        #expect(added == removed)
    }
}
