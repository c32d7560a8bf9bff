/// Builds a `RuleTable` from the entries of rules.
struct RuleTableBuilder<Number: FixedWidthInteger & UnsignedInteger & Sendable> {
    private var table = RuleTable<Number>()
    private var entries: [RuleEntry<Number>] = []
    private var sets: [SortedRanges<Number>] = []
    private var setNumbers: [SortedRanges<Number>: Int32] = [:]
    private var listNumbers: [[Int32]: Int32] = [:]
    private var mergedRangeCount = 0
    /// Entries looked at while building cells.
    private var work = 0

    /// What an entry means inside an interval that its destinations cover.
    private struct RowEntry: Hashable {
        var ports: ClosedRange<UInt16>
        var sources: Int32
    }

    /// Cells of a table, 10 bytes each. More would come of rules whose destinations overlap in
    /// thousands of ways; they are tried one by one.
    static var cellMax: Int { 1 << 17 }
    /// Bounds the time that building cells takes, to about a second.
    static var workMax: Int { 1 << 23 }
    /// More sets in a list than this are merged into one.
    static var listMax: Int { 4 }
    /// Ranges that all merged sets may have together, at most 32 bytes each.
    static var mergedRangeMax: Int { 1 << 17 }

    mutating func add(
        _ sources: SortedRanges<Number>, destinations: ClosedRange<Number>,
        ports: ClosedRange<UInt16>
    ) {
        guard !sources.isEmpty else { return }
        let set = number(of: sources)
        entries.append(RuleEntry(destinations: destinations, ports: ports, sources: set))
    }

    consuming func finish() -> RuleTable<Number> {
        entries = Array(Set(entries))
        // The order of a Set is random; sorted, the table depends on the rules alone.
        entries.sort {
            ($0.destinations.lowerBound, $0.destinations.upperBound, $0.ports.lowerBound)
                < ($1.destinations.lowerBound, $1.destinations.upperBound, $1.ports.lowerBound)
        }
        if !buildCells() {
            table = RuleTable()
            table.entries = entries
        }
        for set in sets {
            table.setFirsts += set.firsts
            table.setLasts += set.lasts
            table.setStarts.append(Int32(table.setFirsts.count))
        }
        return table
    }

    private mutating func number(of set: SortedRanges<Number>) -> Int32 {
        if let known = setNumbers[set] { return known }
        let number = Int32(sets.count)
        sets.append(set)
        setNumbers[set] = number
        return number
    }

    /// False when there would be too many cells, or when making them would take too long.
    private mutating func buildCells() -> Bool {
        table.intervalStarts = Self.starts(of: entries.map(\.destinations))
        table.intervalRows = []
        table.rowCells = [0]
        table.cellPorts = []
        table.cellLists = []
        table.listStarts = [0]
        var rows: [[RowEntry]: Int32] = [:]
        var active: [RuleEntry<Number>] = []
        var next = 0
        for start in table.intervalStarts {
            active.removeAll { $0.destinations.upperBound < start }
            while next < entries.count, entries[next].destinations.lowerBound <= start {
                active.append(entries[next])
                next += 1
            }
            work += active.count
            let key = active.map { RowEntry(ports: $0.ports, sources: $0.sources) }
            if let row = rows[key] {
                table.intervalRows.append(row)
                continue
            }
            let row = Int32(table.rowCells.count - 1)
            rows[key] = row
            table.intervalRows.append(row)
            appendRow(key)
            guard table.cellPorts.count <= Self.cellMax, work <= Self.workMax else { return false }
        }
        return true
    }

    private mutating func appendRow(_ entries: [RowEntry]) {
        let byPort = entries.sorted { $0.ports.lowerBound < $1.ports.lowerBound }
        var active: [RowEntry] = []
        var next = 0
        for start in RuleTableBuilder<UInt16>.starts(of: byPort.map(\.ports)) {
            active.removeAll { $0.ports.upperBound < start }
            while next < byPort.count, byPort[next].ports.lowerBound <= start {
                active.append(byPort[next])
                next += 1
            }
            work += active.count
            guard work <= Self.workMax else { return }
            let list = list(of: active)
            // Cells that say the same as the one before are part of it.
            if start > 0, table.cellLists.last == list { continue }
            table.cellPorts.append(start)
            table.cellLists.append(list)
        }
        table.rowCells.append(Int32(table.cellPorts.count))
    }

    private mutating func list(of entries: [RowEntry]) -> Int32 {
        let numbers = Array(Set(entries.map(\.sources))).sorted()
        if let known = listNumbers[numbers] { return known }
        var members = numbers
        if let everything = numbers.first(where: { sets[Int($0)].isEverything }) {
            members = [everything]
        } else if numbers.count > Self.listMax {
            let count = numbers.reduce(0) { $0 + sets[Int($1)].firsts.count }
            if mergedRangeCount + count <= Self.mergedRangeMax {
                mergedRangeCount += count
                members = [number(of: SortedRanges(numbers.flatMap { sets[Int($0)].ranges }))]
            }
        }
        let list = Int32(table.listStarts.count - 1)
        listNumbers[numbers] = list
        table.listSets += members
        table.listStarts.append(Int32(table.listSets.count))
        return list
    }

    /// Where the intervals begin into which the ends of `ranges` cut all numbers: rising, from 0.
    private static func starts(of ranges: [ClosedRange<Number>]) -> [Number] {
        var starts: Set<Number> = [0]
        for range in ranges {
            starts.insert(range.lowerBound)
            if range.upperBound < .max { starts.insert(range.upperBound + 1) }
        }
        return starts.sorted()
    }
}
