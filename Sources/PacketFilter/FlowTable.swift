internal import IPPacket

/// Remembers a fixed number of flows; a new one takes the place of one that was not seen for long.
///
/// The table is cut into sets of eight places; the hash of a flow names its set, and within the set
/// the least recently seen flow gives way. All memory is allocated at the start.
struct FlowTable: ~Copyable {
    private struct Place {
        var flow: FlowKey
        /// When it was last seen, on the table's own clock; 0 is an empty place.
        var seen: UInt64
    }
    private static var ways: Int { 8 }

    private var places: [Place]
    private let setMask: Int
    private let secret: UInt64
    private var clock: UInt64 = 0

    /// `capacity` is rounded up to a power of two, at least 8. `secret` keeps others from choosing
    /// flows that fall into one set.
    init(capacity: Int, secret: UInt64) {
        var sets = 1
        while sets * Self.ways < capacity { sets *= 2 }
        let empty = Place(flow: .none, seen: 0)
        places = Array(repeating: empty, count: sets * Self.ways)
        setMask = sets - 1
        self.secret = secret
    }

    /// Remembers `flow`, or that it was seen again.
    mutating func note(_ flow: FlowKey) {
        clock += 1
        let set = set(of: flow)
        var oldest = set.lowerBound
        for index in set {
            if places[index].flow == flow {
                places[index].seen = clock
                return
            }
            if places[index].seen < places[oldest].seen { oldest = index }
        }
        places[oldest] = Place(flow: flow, seen: clock)
    }

    /// Whether `flow` is remembered; if so it counts as seen again.
    mutating func contains(_ flow: FlowKey) -> Bool {
        for index in set(of: flow) where places[index].flow == flow {
            clock += 1
            places[index].seen = clock
            return true
        }
        return false
    }

    mutating func removeAll() {
        for index in places.indices { places[index] = Place(flow: .none, seen: 0) }
    }

    private func set(of flow: FlowKey) -> Range<Int> {
        let start = (Int(truncatingIfNeeded: flow.hash(secret: secret)) & setMask) * Self.ways
        return start..<start + Self.ways
    }
}
