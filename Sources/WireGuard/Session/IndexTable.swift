/// What a receiver index of ours stands for.
enum IndexEntry: Equatable {
    /// An initiation we sent to the peer of this number and that awaits its response.
    case initiation(peer: Int)
    /// A session, by its number.
    case session(Int)
}

/// From receiver indices, random numbers we hand out, to what they stand for: open addressing with
/// linear probing. The keys are random, so they are their own hash, and nobody else chooses them.
struct IndexTable {
    private struct Slot {
        var key: UInt32
        /// The entry's number, negative for initiations; `absent` for a free slot.
        var value: Int64
    }
    private static let absent = Int64.min

    private var slots: [Slot]
    private(set) var count = 0

    init() { slots = Array(repeating: Slot(key: 0, value: Self.absent), count: 16) }

    @inline(__always)
    subscript(key: UInt32) -> IndexEntry? {
        let position = find(key)
        let value = slots[position].value
        guard value != Self.absent else { return nil }
        return value >= 0 ? .session(Int(value)) : .initiation(peer: Int(-1 - value))
    }

    /// Adds `entry` under a fresh random key and returns that.
    mutating func insert(
        _ entry: IndexEntry, random: inout some RandomNumberGenerator
    ) -> UInt32 {
        if (count + 1) * 2 > slots.count { grow() }
        while true {
            let key = UInt32(truncatingIfNeeded: random.next())
            let position = find(key)
            guard slots[position].value == Self.absent else { continue }
            slots[position] = Slot(key: key, value: Self.encode(entry))
            count += 1
            return key
        }
    }

    /// Makes a key in use stand for something else. Traps when it is not in use.
    mutating func replace(_ key: UInt32, with entry: IndexEntry) {
        let position = find(key)
        precondition(slots[position].value != Self.absent, "the index is not in use")
        slots[position].value = Self.encode(entry)
    }

    mutating func remove(_ key: UInt32) {
        var hole = find(key)
        guard slots[hole].value != Self.absent else { return }
        count -= 1
        // Close the gap, so that probing never crosses a free slot that once was taken.
        let mask = slots.count - 1
        var position = hole
        while true {
            position = (position + 1) & mask
            guard slots[position].value != Self.absent else { break }
            let home = Int(slots[position].key) & mask
            if (position - home) & mask >= (position - hole) & mask {
                slots[hole] = slots[position]
                hole = position
            }
        }
        slots[hole].value = Self.absent
    }

    private static func encode(_ entry: IndexEntry) -> Int64 {
        switch entry {
        case .initiation(let peer): -1 - Int64(peer)
        case .session(let number): Int64(number)
        }
    }

    /// Where `key` is, or the free slot where it would be. The table is never more than half full.
    @inline(__always)
    private func find(_ key: UInt32) -> Int {
        let mask = slots.count - 1
        var position = Int(key) & mask
        while slots[position].value != Self.absent, slots[position].key != key {
            position = (position + 1) & mask
        }
        return position
    }

    private mutating func grow() {
        let old = slots
        slots = Array(
            repeating: Slot(key: 0, value: Self.absent), count: old.count * 2)
        for slot in old where slot.value != Self.absent { slots[find(slot.key)] = slot }
    }
}
