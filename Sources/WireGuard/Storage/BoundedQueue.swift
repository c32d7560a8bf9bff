/// First in, first out, in a ring that grows up to a limit and never beyond.
struct BoundedQueue<Element> {
    let limit: Int
    private var ring: [Element?] = []
    private var head = 0
    private(set) var count = 0

    init(limit: Int) {
        precondition(limit > 0, "a queue holds something")
        self.limit = limit
    }

    var isEmpty: Bool { count == 0 }
    var isFull: Bool { count == limit }

    /// False, and nothing added, when the queue is full.
    mutating func append(_ element: consuming Element) -> Bool {
        guard count < limit else { return false }
        if count == ring.count { grow() }
        ring[(head + count) % ring.count] = element
        count += 1
        return true
    }

    /// Makes room by dropping the oldest element. True when that was necessary.
    mutating func appendDroppingOldest(_ element: consuming Element) -> Bool {
        let isDropping = isFull
        if isDropping { _ = popFirst() }
        _ = append(element)
        return isDropping
    }

    mutating func popFirst() -> Element? {
        guard count > 0 else { return nil }
        let element = ring[head].take()
        head = (head + 1) % ring.count
        count -= 1
        return element
    }

    var first: Element? { count > 0 ? ring[head] : nil }

    /// Drops everything and gives the memory back.
    mutating func removeAll() {
        ring = []
        head = 0
        count = 0
    }

    private mutating func grow() {
        var larger: [Element?] = []
        let capacity = min(limit, max(4, ring.count * 2))
        larger.reserveCapacity(capacity)
        for offset in 0..<count { larger.append(ring[(head + offset) % ring.count]) }
        larger.append(contentsOf: repeatElement(nil, count: capacity - count))
        ring = larger
        head = 0
    }
}
