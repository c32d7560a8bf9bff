/// Elements at small indices that stay the same until the element is removed, lowest free index
/// first. Unlike an array it holds elements that cannot be copied.
@safe
struct Slab<Element: ~Copyable>: ~Copyable {
    private var storage: UnsafeMutablePointer<Element>
    private var capacity: Int
    private var occupied: [Bool]
    private var free: [Int]
    private(set) var count = 0

    init() {
        capacity = 4
        unsafe storage = .allocate(capacity: capacity)
        occupied = Array(repeating: false, count: capacity)
        free = Array((0..<capacity).reversed())
    }

    deinit {
        for index in 0..<capacity where occupied[index] {
            unsafe (storage + index).deinitialize(count: 1)
        }
        unsafe storage.deallocate()
    }

    /// One past the largest index an element can have now.
    var endIndex: Int { capacity }

    func contains(_ index: Int) -> Bool {
        index >= 0 && index < capacity && occupied[index]
    }

    /// The index the next `insert` will use.
    mutating func reserveIndex() -> Int {
        if free.isEmpty { grow() }
        return free[free.count - 1]
    }

    @discardableResult
    mutating func insert(_ element: consuming Element) -> Int {
        let index = reserveIndex()
        free.removeLast()
        occupied[index] = true
        count += 1
        unsafe (storage + index).initialize(to: element)
        return index
    }

    /// Traps when there is no element at `index`.
    @discardableResult
    mutating func remove(_ index: Int) -> Element {
        precondition(contains(index), "no element at this index")
        occupied[index] = false
        count -= 1
        free.append(index)
        return unsafe (storage + index).move()
    }

    /// Traps when there is no element at `index`.
    subscript(index: Int) -> Element {
        @inline(__always) unsafeAddress {
            precondition(contains(index), "no element at this index")
            return unsafe UnsafePointer(storage + index)
        }
        @inline(__always) unsafeMutableAddress {
            precondition(contains(index), "no element at this index")
            return unsafe storage + index
        }
    }

    private mutating func grow() {
        let larger = UnsafeMutablePointer<Element>.allocate(capacity: capacity * 2)
        // Full, or it would not grow: every slot moves.
        unsafe larger.moveInitialize(from: storage, count: capacity)
        unsafe storage.deallocate()
        unsafe storage = larger
        free.append(contentsOf: (capacity..<capacity * 2).reversed())
        occupied.append(contentsOf: repeatElement(false, count: capacity))
        capacity *= 2
    }
}
