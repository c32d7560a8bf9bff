internal import NetTypes

/// One deadline for each of many small numbers, and the earliest of them: a binary heap that knows
/// where each number stands in it.
struct DeadlineQueue {
    private var heap: [(deadline: MonotonicInstant, number: Int)] = []
    /// Position in the heap by number, -1 for absent.
    private var positions: [Int] = []

    var earliest: MonotonicInstant? { heap.first?.deadline }

    func deadline(of number: Int) -> MonotonicInstant? {
        guard number < positions.count, positions[number] >= 0 else { return nil }
        return heap[positions[number]].deadline
    }

    /// Sets, moves or (nil) removes the deadline of `number`.
    mutating func set(_ deadline: MonotonicInstant?, for number: Int) {
        while positions.count <= number { positions.append(-1) }
        let position = positions[number]
        switch (deadline, position >= 0) {
        case (nil, false): break
        case (nil, true): remove(at: position)
        case (let deadline?, false):
            heap.append((deadline, number))
            positions[number] = heap.count - 1
            moveUp(heap.count - 1)
        case (let deadline?, true):
            heap[position].deadline = deadline
            moveUp(position)
            moveDown(positions[number])
        }
    }

    /// The number whose deadline is earliest, if that has come. It stays in the queue.
    func firstDue(at now: MonotonicInstant) -> Int? {
        guard let first = heap.first, first.deadline <= now else { return nil }
        return first.number
    }

    private mutating func remove(at position: Int) {
        positions[heap[position].number] = -1
        let last = heap.removeLast()
        guard position < heap.count else { return }
        heap[position] = last
        positions[last.number] = position
        moveUp(position)
        moveDown(positions[last.number])
    }

    private mutating func moveUp(_ start: Int) {
        var child = start
        while child > 0 {
            let parent = (child - 1) / 2
            guard isBefore(child, parent) else { return }
            exchange(child, parent)
            child = parent
        }
    }

    private mutating func moveDown(_ start: Int) {
        var parent = start
        while true {
            var smallest = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < heap.count && isBefore(child, smallest) {
                smallest = child
            }
            guard smallest != parent else { return }
            exchange(parent, smallest)
            parent = smallest
        }
    }

    /// Equal deadlines are ordered by number, so that a run does not depend on its history.
    private func isBefore(_ left: Int, _ right: Int) -> Bool {
        (heap[left].deadline, heap[left].number) < (heap[right].deadline, heap[right].number)
    }

    private mutating func exchange(_ left: Int, _ right: Int) {
        heap.swapAt(left, right)
        positions[heap[left].number] = left
        positions[heap[right].number] = right
    }
}
