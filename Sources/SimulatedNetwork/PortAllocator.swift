import NetTypes

/// Chooses outside ports for new mappings of one NAT.
struct PortAllocator {
    static let ports: ClosedRange<UInt16> = 1_024...65_535

    private var next: UInt16
    private var lastAllocatedAt: MonotonicInstant?
    /// The current block of each inside address, by its first port.
    private var blocks: [IPAddress: UInt16] = [:]

    init(random: inout SeededRandom) { next = Self.anyPort(&random) }

    /// A port that `isFree`, other than `former`; nil when none is found in a bounded search.
    mutating func allocate(
        for inside: Endpoint, by behavior: RouterBehavior, former: UInt16?,
        at now: MonotonicInstant, random: inout SeededRandom, isFree: (UInt16) -> Bool
    ) -> UInt16? {
        func isUsable(_ port: UInt16) -> Bool { port != former && isFree(port) }
        switch behavior.allocation {
        case .preserving:
            if isUsable(inside.port) { return inside.port }
            return Self.anyPort(&random, where: isUsable)
        case .random: return Self.anyPort(&random, where: isUsable)
        case .sequential:
            stepOverOthers(behavior.otherMappingsPerSecond, at: now, random: &random)
            for _ in Self.ports {
                let port = next
                next = port == Self.ports.upperBound ? Self.ports.lowerBound : port + 1
                if isUsable(port) { return port }
            }
            return nil
        case .blocks(let size):
            return allocateInBlock(
                of: size, for: inside.address, random: &random, isUsable: isUsable)
        }
    }

    /// Evenly from nothing to twice the mean of what others have made since the last time.
    private mutating func stepOverOthers(
        _ rate: Double, at now: MonotonicInstant, random: inout SeededRandom
    ) {
        if rate > 0, let last = lastAllocatedAt {
            let mean = min(rate * (now - last).inSeconds, 30_000)
            let steps = random.below(Int(mean * 2) + 1)
            let count = Self.ports.count
            let offset = (Int(next - Self.ports.lowerBound) + steps) % count
            next = Self.ports.lowerBound + UInt16(offset)
        }
        lastAllocatedAt = now
    }

    private mutating func allocateInBlock(
        of size: Int, for address: IPAddress, random: inout SeededRandom,
        isUsable: (UInt16) -> Bool
    ) -> UInt16? {
        precondition((1...16_384).contains(size), "a block has 1 to 16,384 ports")
        for _ in 0..<8 {
            let first = blocks[address] ?? freshBlock(of: size, random: &random)
            blocks[address] = first
            let start = random.below(size)
            for offset in 0..<size {
                let port = first + UInt16((start + offset) % size)
                if isUsable(port) { return port }
            }
            blocks[address] = nil
        }
        return nil
    }

    private func freshBlock(of size: Int, random: inout SeededRandom) -> UInt16 {
        let count = Self.ports.count / size
        var first: UInt16
        repeat {
            first = Self.ports.lowerBound + UInt16(random.below(count) * size)
        } while blocks.count < count && blocks.values.contains(first)
        return first
    }

    private static func anyPort(_ random: inout SeededRandom) -> UInt16 {
        ports.lowerBound + UInt16(random.below(ports.count))
    }

    private static func anyPort(
        _ random: inout SeededRandom, where isUsable: (UInt16) -> Bool
    ) -> UInt16? {
        for _ in 0..<1_000 {
            let port = anyPort(&random)
            if isUsable(port) { return port }
        }
        return ports.first(where: isUsable)
    }
}
