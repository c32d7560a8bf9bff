/// Longest-prefix match over up to 128 bits: a path-compressed binary trie in one array.
///
/// Shorter keys (IPv4) stand in the upper bits.
struct PrefixTrie {
    private struct Node {
        var key: UInt128
        var length: Int
        /// `none` for a node that only joins two others.
        var value: Int32
        var zero: Int32 = PrefixTrie.none
        var one: Int32 = PrefixTrie.none
    }
    private static let none: Int32 = -1

    private var nodes: [Node] = []
    private var free: [Int32] = []
    private var root = PrefixTrie.none
    private(set) var count = 0
    /// Nodes ever in use at once.
    var nodeCount: Int { nodes.count }

    /// The value of the longest prefix that `key` is in.
    func longestMatch(_ key: UInt128) -> Int? {
        var best = Self.none
        var position = root
        while position >= 0 {
            let node = nodes[Int(position)]
            guard (key ^ node.key).leadingZeroBitCount >= node.length else { break }
            if node.value >= 0 { best = node.value }
            guard node.length < 128 else { break }
            position = Self.bit(key, node.length) ? node.one : node.zero
        }
        return best >= 0 ? Int(best) : nil
    }

    /// Sets the value of a prefix and returns the one it had. Bits of `key` past `length` are
    /// ignored.
    @discardableResult
    mutating func insert(_ key: UInt128, length: Int, value: Int) -> Int? {
        let key = Self.masked(key, length)
        let new = Node(key: key, length: length, value: Int32(value))
        var parent: Int32 = Self.none
        var position = root
        while position >= 0 {
            let node = nodes[Int(position)]
            let common = min(length, node.length, (key ^ node.key).leadingZeroBitCount)
            if common < node.length {
                let joined = join(new, above: position, common: common)
                replaceChild(of: parent, position, with: joined)
                count += 1
                return nil
            }
            if node.length == length {
                nodes[Int(position)].value = new.value
                if node.value < 0 { count += 1 }
                return node.value >= 0 ? Int(node.value) : nil
            }
            parent = position
            position = Self.bit(key, node.length) ? node.one : node.zero
        }
        attach(allocate(new), to: parent)
        count += 1
        return nil
    }

    /// Removes a prefix and returns its value.
    @discardableResult
    mutating func remove(_ key: UInt128, length: Int) -> Int? {
        let key = Self.masked(key, length)
        var grandparent = Self.none
        var parent = Self.none
        var position = root
        while position >= 0 {
            let node = nodes[Int(position)]
            guard node.length <= length, (key ^ node.key).leadingZeroBitCount >= node.length
            else { return nil }
            if node.length == length { break }
            grandparent = parent
            parent = position
            position = Self.bit(key, node.length) ? node.one : node.zero
        }
        guard position >= 0, nodes[Int(position)].value >= 0 else { return nil }
        let value = Int(nodes[Int(position)].value)
        nodes[Int(position)].value = Self.none
        count -= 1
        splice(position, parent: parent)
        // A join above may have lost one of its two reasons to exist.
        if parent >= 0, nodes[Int(parent)].value < 0 { splice(parent, parent: grandparent) }
        return value
    }

    /// Takes a node without value and with at most one child out.
    private mutating func splice(_ position: Int32, parent: Int32) {
        let node = nodes[Int(position)]
        guard node.zero < 0 || node.one < 0 else { return }
        replaceChild(of: parent, position, with: max(node.zero, node.one))
        free.append(position)
    }

    /// A subtree of `new` and the node at `position`, which differ from bit `common` on.
    private mutating func join(_ new: Node, above position: Int32, common: Int) -> Int32 {
        let below = nodes[Int(position)]
        var top = new
        if common < new.length {
            let leaf = allocate(new)
            top = Node(key: Self.masked(new.key, common), length: common, value: Self.none)
            if Self.bit(new.key, common) { top.one = leaf } else { top.zero = leaf }
        }
        if Self.bit(below.key, common) { top.one = position } else { top.zero = position }
        return allocate(top)
    }

    private mutating func attach(_ child: Int32, to parent: Int32) {
        guard parent >= 0 else {
            root = child
            return
        }
        if Self.bit(nodes[Int(child)].key, nodes[Int(parent)].length) {
            nodes[Int(parent)].one = child
        } else {
            nodes[Int(parent)].zero = child
        }
    }

    private mutating func replaceChild(of parent: Int32, _ old: Int32, with new: Int32) {
        if parent < 0 {
            root = new
        } else if nodes[Int(parent)].one == old {
            nodes[Int(parent)].one = new
        } else {
            nodes[Int(parent)].zero = new
        }
    }

    private mutating func allocate(_ node: Node) -> Int32 {
        if let position = free.popLast() {
            nodes[Int(position)] = node
            return position
        }
        nodes.append(node)
        return Int32(nodes.count - 1)
    }

    private static func bit(_ key: UInt128, _ position: Int) -> Bool {
        key & (UInt128(1) << UInt128(127 - position)) != 0
    }
    private static func masked(_ key: UInt128, _ length: Int) -> UInt128 {
        length == 0 ? 0 : key & (UInt128.max << UInt128(128 - length))
    }
}
