package import NetTypes

/// Outside of the queue, so that it is no generic type.
private struct Entry {
    let at: MonotonicInstant
    let order: UInt64
    let slot: Int

    func precedes(_ other: Entry) -> Bool {
        at == other.at ? order < other.order : at < other.at
    }
}

/// Events by time; those of one instant in the order they were put in. A binary heap of small
/// entries; the events themselves lie still.
package struct EventQueue<Event> {
    private var heap: [Entry] = []
    private var events: [Event?] = []
    private var free: [Int] = []
    private var nextOrder: UInt64 = 0

    package init() {}

    package var nextAt: MonotonicInstant? { heap.first?.at }
    package var count: Int { heap.count }

    package mutating func insert(_ event: Event, at instant: MonotonicInstant) {
        let slot: Int
        if let reused = free.popLast() {
            slot = reused
            events[slot] = event
        } else {
            slot = events.count
            events.append(event)
        }
        let entry = Entry(at: instant, order: nextOrder, slot: slot)
        nextOrder += 1
        heap.append(entry)
        var child = heap.count - 1
        while child > 0, entry.precedes(heap[(child - 1) / 2]) {
            heap[child] = heap[(child - 1) / 2]
            child = (child - 1) / 2
        }
        heap[child] = entry
    }

    package mutating func popFirst() -> (at: MonotonicInstant, event: Event)? {
        guard let first = heap.first else { return nil }
        let last = heap.removeLast()
        if !heap.isEmpty { sink(last) }
        guard let event = events[first.slot].take() else {
            preconditionFailure("an entry has an event")
        }
        free.append(first.slot)
        return (first.at, event)
    }

    /// Puts `entry` where the first one was and lets it sink.
    private mutating func sink(_ entry: Entry) {
        var parent = 0
        while true {
            var child = 2 * parent + 1
            guard child < heap.count else { break }
            if child + 1 < heap.count, heap[child + 1].precedes(heap[child]) { child += 1 }
            guard heap[child].precedes(entry) else { break }
            heap[parent] = heap[child]
            parent = child
        }
        heap[parent] = entry
    }
}
