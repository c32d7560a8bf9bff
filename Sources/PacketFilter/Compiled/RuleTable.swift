/// Rules in the form in which packets are looked up, for one address family: which sources may reach
/// a destination address at a port.
///
/// The destinations of all rules cut the address space into intervals, and for each interval their
/// ports cut the port space into cells. As rules only ever allow, all that counts in a cell is which
/// sources are in one of the sets of the rules that cover it. A lookup is three binary searches.
/// Everything stands in flat arrays, so that no lookup touches a reference count.
struct RuleTable<Number: FixedWidthInteger & UnsignedInteger & Sendable>: Sendable {
    /// Where the destination intervals begin; the first is 0.
    var intervalStarts: [Number] = [0]
    /// The row of each interval; intervals covered by the same rules share one.
    var intervalRows: [Int32] = [0]
    /// The cells of row `r` are `rowCells[r]..<rowCells[r + 1]`.
    var rowCells: [Int32] = [0, 1]
    /// The first port of each cell; the first cell of a row begins at 0.
    var cellPorts: [UInt16] = [0]
    /// The list of source sets of each cell.
    var cellLists: [Int32] = [0]
    /// The sets of list `l` are `listSets[listStarts[l]..<listStarts[l + 1]]`.
    var listStarts: [Int32] = [0, 0]
    var listSets: [Int32] = []
    /// The ranges of set `s` are `setStarts[s]..<setStarts[s + 1]`.
    var setStarts: [Int32] = [0]
    var setFirsts: [Number] = []
    var setLasts: [Number] = []

    /// Entries to try one by one instead, when the cells would take too much memory.
    var entries: [RuleEntry<Number>] = []

    func allows(source: Number, destination: Number, port: UInt16) -> Bool {
        if !entries.isEmpty {
            return entries.contains {
                $0.destinations.contains(destination) && $0.ports.contains(port)
                    && contains(source, set: $0.sources)
            }
        }
        let interval = intervalStarts.lastIndex(
            notAbove: destination, in: 0..<intervalStarts.count)
        let row = Int(intervalRows[interval])
        let cell = cellPorts.lastIndex(
            notAbove: port, in: Int(rowCells[row])..<Int(rowCells[row + 1]))
        let list = Int(cellLists[cell])
        for index in listStarts[list]..<listStarts[list + 1]
        where contains(source, set: listSets[Int(index)]) {
            return true
        }
        return false
    }

    @inline(__always)
    private func contains(_ source: Number, set: Int32) -> Bool {
        let bounds = Int(setStarts[Int(set)])..<Int(setStarts[Int(set) + 1])
        let index = setFirsts.lastIndex(notAbove: source, in: bounds)
        return index >= bounds.lowerBound && source <= setLasts[index]
    }
}

/// One destination of one rule. `sources` is the number of a source set of the table.
struct RuleEntry<Number: FixedWidthInteger & UnsignedInteger & Sendable>: Hashable, Sendable {
    var destinations: ClosedRange<Number>
    var ports: ClosedRange<UInt16>
    var sources: Int32
}
