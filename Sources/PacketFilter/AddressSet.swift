package import NetTypes

/// A set of addresses, kept as ranges that neither touch nor overlap.
package struct AddressSet: Hashable, Sendable {
    var v4: SortedRanges<UInt32>
    var v6: SortedRanges<UInt128>

    package init() {
        v4 = SortedRanges([])
        v6 = SortedRanges([])
    }
    package init(_ ranges: some Sequence<AddressRange>) {
        var v4: [ClosedRange<UInt32>] = []
        var v6: [ClosedRange<UInt128>] = []
        for range in ranges {
            switch (range.first, range.last) {
            case (.v4(let first), .v4(let last)): v4.append(first.bits...last.bits)
            case (.v6(let first), .v6(let last)): v6.append(first.integer...last.integer)
            default: preconditionFailure("a range is of one family")
            }
        }
        self.v4 = SortedRanges(v4)
        self.v6 = SortedRanges(v6)
    }
    package init(_ prefixes: some Sequence<IPPrefix>) { self.init(prefixes.map(AddressRange.init)) }

    package var isEmpty: Bool { v4.isEmpty && v6.isEmpty }

    package func contains(_ address: IPAddress) -> Bool {
        switch address {
        case .v4(let value): v4.contains(value.bits)
        case .v6(let value): v6.contains(value.integer)
        }
    }

    /// The addresses of this set that are not in `other`.
    package func subtracting(_ other: AddressSet) -> AddressSet {
        var result = self
        result.v4 = v4.subtracting(other.v4)
        result.v6 = v6.subtracting(other.v6)
        return result
    }
    package func union(_ other: AddressSet) -> AddressSet {
        var result = self
        result.v4 = SortedRanges(v4.ranges + other.v4.ranges)
        result.v6 = SortedRanges(v6.ranges + other.v6.ranges)
        return result
    }
}

/// Ranges of numbers in rising order that neither touch nor overlap.
struct SortedRanges<Number: FixedWidthInteger & UnsignedInteger & Sendable>: Hashable, Sendable {
    let firsts: [Number]
    let lasts: [Number]

    /// `ranges` may come in any order and overlap.
    init(_ ranges: [ClosedRange<Number>]) {
        var firsts: [Number] = []
        var lasts: [Number] = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = lasts.last, last == .max || range.lowerBound <= last + 1 {
                lasts[lasts.count - 1] = max(last, range.upperBound)
            } else {
                firsts.append(range.lowerBound)
                lasts.append(range.upperBound)
            }
        }
        self.firsts = firsts
        self.lasts = lasts
    }

    var isEmpty: Bool { firsts.isEmpty }
    var isEverything: Bool { firsts.first == 0 && lasts.first == .max }
    var ranges: [ClosedRange<Number>] { zip(firsts, lasts).map { $0...$1 } }

    func contains(_ number: Number) -> Bool {
        let index = firsts.lastIndex(notAbove: number, in: 0..<firsts.count)
        return index >= 0 && number <= lasts[index]
    }

    func overlaps(_ range: ClosedRange<Number>) -> Bool {
        let index = firsts.lastIndex(notAbove: range.upperBound, in: 0..<firsts.count)
        return index >= 0 && range.lowerBound <= lasts[index]
    }

    func subtracting(_ other: Self) -> Self {
        var result: [ClosedRange<Number>] = []
        for range in ranges {
            var start = range.lowerBound
            var isCovered = false
            for hole in other.ranges where hole.upperBound >= start {
                if hole.lowerBound > range.upperBound { break }
                if hole.lowerBound > start { result.append(start...hole.lowerBound - 1) }
                if hole.upperBound >= range.upperBound {
                    isCovered = true
                    break
                }
                start = hole.upperBound + 1
            }
            if !isCovered { result.append(start...range.upperBound) }
        }
        return Self(result)
    }
}

extension Array where Element: Comparable {
    /// The last index of the sorted part `bounds` whose element is not above `value`, or the index
    /// before `bounds`.
    @inline(__always)
    func lastIndex(notAbove value: Element, in bounds: Range<Int>) -> Int {
        var low = bounds.lowerBound
        var count = bounds.count
        while count > 0 {
            let half = count / 2
            if self[low + half] <= value {
                low += half + 1
                count -= half + 1
            } else {
                count = half
            }
        }
        return low - 1
    }
}
