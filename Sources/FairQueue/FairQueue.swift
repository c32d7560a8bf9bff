package import NetTypes

/// Says which of the packets that wait is next: flows take turns by bytes, and one that sends little goes
/// first (deficit round robin over new and old flows, RFC 8290 §4.2). Packets of a flow keep their order.
///
/// Packets are known by the number of the slot in which they lie. Flows share buckets by hash. Nothing is
/// allocated after the start.
package struct FairQueue: ~Copyable {
    private struct Packet: BitwiseCopyable {
        /// The slot that follows in its flow; -1 after the last.
        var next: Int32 = -1
        var cost: Int32 = 0
    }

    private enum Phase: UInt8, BitwiseCopyable {
        /// Of neither list.
        case idle
        /// Has not used up its first turn since it was idle.
        case new
        case old
    }

    private struct Flow: BitwiseCopyable {
        var first: Int32 = -1
        var last: Int32 = -1
        /// The flow that follows in the same list; -1 after the last.
        var next: Int32 = -1
        var phase = Phase.idle
        /// What it may still send in its turn.
        var deficit = 0
        var cost = 0
        var count = 0
        var addedAt = MonotonicInstant(nanoseconds: 0)
    }

    private struct List: BitwiseCopyable {
        var first: Int32 = -1
        var last: Int32 = -1
    }

    package static var flowCount: Int { 256 }
    /// What a flow may send in a turn. Whoever needs no more in one round goes before all that do.
    package static var quantum: Int { 1 << 14 }
    /// For how long a flow counts as present after its last packet.
    package static var presence: Nanoseconds { .milliseconds(100) }

    package private(set) var count = 0
    private var packets: [Packet]
    private var flows = [Flow](repeating: Flow(), count: Self.flowCount)
    private var new = List()
    private var old = List()

    /// For packets in the slots 0 to `slotCount` - 1.
    package init(slotCount: Int) {
        packets = [Packet](repeating: Packet(), count: slotCount)
    }

    package var isEmpty: Bool { count == 0 }

    /// Adds the packet in `slot`, which must not be in the queue. `cost` is its bytes, or more if it takes
    /// more time than its bytes say.
    package mutating func append(
        _ slot: Int, cost: Int, flow hash: UInt64, at now: MonotonicInstant
    ) {
        let number = Int(truncatingIfNeeded: hash) & (Self.flowCount - 1)
        packets[slot] = Packet(next: -1, cost: Int32(clamping: cost))
        if flows[number].last >= 0 {
            packets[Int(flows[number].last)].next = Int32(slot)
        } else {
            flows[number].first = Int32(slot)
        }
        flows[number].last = Int32(slot)
        flows[number].cost += cost
        flows[number].count += 1
        flows[number].addedAt = now
        count += 1
        guard flows[number].phase == .idle else { return }
        flows[number].deficit = Self.quantum
        flows[number].phase = .new
        pushLast(number, isNew: true)
    }

    /// Takes out the packet that is next and returns its slot.
    package mutating func popNext() -> Int? {
        guard count > 0 else { return nil }
        while true {
            let isNew = new.first >= 0
            let number = Int(isNew ? new.first : old.first)
            if flows[number].deficit <= 0 {
                flows[number].deficit += Self.quantum
                moveToEndOfOld(number, isNew: isNew)
            } else if flows[number].first < 0 {
                // A flow that was new waits for its turn before it is new again: else two packets, one
                // after the other, would pass all others every time.
                if isNew, old.first >= 0 {
                    moveToEndOfOld(number, isNew: true)
                } else {
                    popFirst(isNew: isNew)
                    flows[number].phase = .idle
                }
            } else {
                let slot = takeFirst(of: number)
                flows[number].deficit -= Int(packets[slot].cost)
                return slot
            }
        }
    }

    /// Takes out the oldest packet of the flow that costs most of all that wait, to make room.
    package mutating func popOfCostliest() -> Int? {
        guard count > 0 else { return nil }
        var found = 0
        for number in flows.indices where flows[number].cost > flows[found].cost { found = number }
        return takeFirst(of: found)
    }

    /// Takes out the oldest packet of the flow of which most packets wait, unless that is the only flow
    /// that has had packets lately.
    package mutating func popOfMostNumerous(at now: MonotonicInstant) -> Int? {
        guard count > 0 else { return nil }
        var found = 0
        for number in flows.indices where flows[number].count > flows[found].count {
            found = number
        }
        for number in flows.indices
        where number != found && flows[number].addedAt + Self.presence > now {
            return takeFirst(of: found)
        }
        return nil
    }

    private mutating func takeFirst(of number: Int) -> Int {
        let slot = Int(flows[number].first)
        flows[number].first = packets[slot].next
        if flows[number].first < 0 { flows[number].last = -1 }
        flows[number].cost -= Int(packets[slot].cost)
        flows[number].count -= 1
        count -= 1
        return slot
    }

    // MARK: Lists of flows

    private mutating func pushLast(_ number: Int, isNew: Bool) {
        var list = isNew ? new : old
        flows[number].next = -1
        if list.last >= 0 { flows[Int(list.last)].next = Int32(number) }
        list.last = Int32(number)
        if list.first < 0 { list.first = Int32(number) }
        if isNew { new = list } else { old = list }
    }

    private mutating func popFirst(isNew: Bool) {
        var list = isNew ? new : old
        list.first = flows[Int(list.first)].next
        if list.first < 0 { list.last = -1 }
        if isNew { new = list } else { old = list }
    }

    private mutating func moveToEndOfOld(_ number: Int, isNew: Bool) {
        popFirst(isNew: isNew)
        flows[number].phase = .old
        pushLast(number, isNew: false)
    }
}
