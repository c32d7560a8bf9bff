import NetTypes

/// How many answers each source may get: who forges the address of a victim gets no more for it.
///
/// Sources share a fixed number of counters by a hash that nobody outside can predict; IPv6 sources
/// of one /64 count as one. A whole household or a carrier's customers behind one address stay far
/// below the limit.
struct SourceBudget {
    /// Answers per second, and how many may come at once.
    static var rate: Int64 { 200 }
    static var burst: Int64 { 1_000 }
    private static var counterCount: Int { 4_096 }
    private static var interval: Int64 { 1_000_000_000 / rate }

    /// By hash: when the counter would be full again, in nanoseconds of the clock.
    private var fullAt = [Int64](repeating: 0, count: counterCount)

    /// Takes one answer from the budget of `source`; false when there is none left.
    mutating func take(_ source: IPAddress, at now: MonotonicInstant) -> Bool {
        var hasher = Hasher()
        switch source {
        case .v4(let address): hasher.combine(address)
        case .v6(let address): hasher.combine(address.high)
        }
        let index = Int(UInt(bitPattern: hasher.finalize()) % UInt(Self.counterCount))
        let time = Int64(clamping: now.nanoseconds)
        let full = max(fullAt[index], time) + Self.interval
        guard full - time <= Self.burst * Self.interval else { return false }
        fullAt[index] = full
        return true
    }
}
